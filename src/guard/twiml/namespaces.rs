//! Namespaces in XML 1.0: prefixes are declared, reserved names stay reserved, and no attribute
//! stands twice under two prefixes. Xerces reads with namespaces, so a document must bear it.

use super::chars::{attribute_value, is_too_long, name_len};
use super::document::{Attribute, Element};
use super::reader::XmlFault;

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// Checks the element at `index`, whose ancestors were checked before.
pub(super) fn check(text: &str, elements: &[Element], index: usize) -> Result<(), XmlFault> {
    let Some(element) = elements.get(index) else { return Ok(()) };
    for attribute in &element.attributes {
        declaration(text, attribute)?;
    }
    prefix_is_bound(text, elements, index, element.name_in(text), element.name.start)?;
    let mut seen: Vec<(String, &str)> = Vec::new();
    for attribute in &element.attributes {
        let name = text.get(attribute.name.clone()).unwrap_or_default();
        if name.starts_with("xmlns:") {
            continue;
        }
        let Some((prefix, local)) = name.split_once(':') else { continue };
        prefix_is_bound(text, elements, index, name, attribute.name.start)?;
        let uri = bound(text, elements, index, prefix).unwrap_or_default();
        if seen.iter().any(|(other, name)| *other == uri && *name == local) {
            return Err(XmlFault::new(
                attribute.name.start,
                format!("attribute `{local}` stands twice in one namespace"),
            ));
        }
        seen.push((uri, local));
    }
    Ok(())
}

/// `xmlns` and `xmlns:prefix` bind what may be bound.
fn declaration(text: &str, attribute: &Attribute) -> Result<(), XmlFault> {
    let name = text.get(attribute.name.clone()).unwrap_or_default();
    let is_declaration = name == "xmlns" || name.starts_with("xmlns:");
    if !is_declaration {
        return Ok(());
    }
    let uri = attribute_value(text.get(attribute.value.clone()).unwrap_or_default());
    let sound = match name.strip_prefix("xmlns:") {
        _ if is_too_long(&uri) => false,
        Some("xml") => uri == XML,
        Some("xmlns") => false,
        Some(prefix) if name_len(prefix) != prefix.len() => false,
        Some(_) => !uri.is_empty() && uri != XML && uri != XMLNS,
        None => uri != XML && uri != XMLNS,
    };
    if sound {
        Ok(())
    } else {
        Err(XmlFault::new(attribute.name.start, format!("`{name}` may not be bound to `{uri}`")))
    }
}

fn prefix_is_bound(
    text: &str,
    elements: &[Element],
    index: usize,
    name: &str,
    at: usize,
) -> Result<(), XmlFault> {
    let Some((prefix, local)) = name.split_once(':') else { return Ok(()) };
    if name_len(local) != local.len() {
        return Err(XmlFault::new(at, format!("expected a name after the prefix, found `{name}`")));
    }
    if prefix == "xmlns" || bound(text, elements, index, prefix).is_none() {
        return Err(XmlFault::new(at, format!("prefix `{prefix}` is not declared")));
    }
    Ok(())
}

/// The namespace that a prefix stands for at an element.
fn bound(text: &str, elements: &[Element], index: usize, prefix: &str) -> Option<String> {
    if prefix == "xml" {
        return Some(XML.to_owned());
    }
    let mut at = Some(index);
    while let Some(element) = at.and_then(|at| elements.get(at)) {
        let own = element.attributes.iter().find(|attribute| {
            text.get(attribute.name.clone()).and_then(|name| name.strip_prefix("xmlns:"))
                == Some(prefix)
        });
        if let Some(own) = own {
            return text.get(own.value.clone()).map(attribute_value);
        }
        at = element.parent;
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::guard::twiml::read;

    #[test]
    fn names_of_namespaces_are_compared_as_they_are_read() {
        for text in [
            "<a xmlns:b='http://www.w3.org/XML/1998/namespac&#101;'/>",
            "<a xmlns:b='u' xmlns:c='&#117;' b:x='1' c:x='2'/>",
            "<a xmlns:b='u v' xmlns:c='u\nv' b:x='1' c:x='2'/>",
            "<a xmlns:1='u'/>",
            "<a xmlns:\u{300}='u'/>",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        for text in [
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespac&#101;'/>",
            "<a xmlns:b='u' xmlns:c='u&#10;' b:x='1' c:x='2'/>",
        ] {
            assert!(read(text).is_ok(), "{text}");
        }
    }
}
