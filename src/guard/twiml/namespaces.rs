//! Namespaces in XML 1.0: prefixes are declared, reserved names stay reserved, and no attribute
//! stands twice under two prefixes. Xerces reads with namespaces, so a document must bear it.

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
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for attribute in &element.attributes {
        let name = text.get(attribute.name.clone()).unwrap_or_default();
        if name.starts_with("xmlns:") {
            continue;
        }
        let Some((prefix, local)) = name.split_once(':') else { continue };
        prefix_is_bound(text, elements, index, name, attribute.name.start)?;
        let uri = bound(text, elements, index, prefix).unwrap_or_default();
        if seen.contains(&(uri, local)) {
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
    let uri = text.get(attribute.value.clone()).unwrap_or_default();
    let sound = match name.strip_prefix("xmlns:") {
        Some("xml") => uri == XML,
        Some("xmlns") => false,
        Some(_) => !uri.is_empty() && uri != XML && uri != XMLNS,
        None if name == "xmlns" => uri != XML && uri != XMLNS,
        None => true,
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
    if super::chars::name_len(local) != local.len() {
        return Err(XmlFault::new(at, format!("expected a name after the prefix, found `{name}`")));
    }
    if prefix == "xmlns" || bound(text, elements, index, prefix).is_none() {
        return Err(XmlFault::new(at, format!("prefix `{prefix}` is not declared")));
    }
    Ok(())
}

/// The namespace that a prefix stands for at an element.
fn bound<'t>(text: &'t str, elements: &[Element], index: usize, prefix: &str) -> Option<&'t str> {
    if prefix == "xml" {
        return Some(XML);
    }
    let mut at = Some(index);
    while let Some(element) = at.and_then(|at| elements.get(at)) {
        let own = element.attributes.iter().find(|attribute| {
            text.get(attribute.name.clone()).and_then(|name| name.strip_prefix("xmlns:"))
                == Some(prefix)
        });
        if let Some(own) = own {
            return text.get(own.value.clone());
        }
        at = element.parent;
    }
    None
}
