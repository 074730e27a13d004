//! Strict reading of one tag and of the XML declaration, as XML 1.0 writes them.

use std::ops::Range;

use super::chars::{MAX_NAME, Reference, is_blank, is_too_long, name_len, reference};
use super::document::{Attribute, Declaration};
use super::reader::XmlFault;

/// More attributes in one tag than this are refused; TwiML's richest verb has some forty.
const MAX_ATTRIBUTES: usize = 500;

/// Reads a start tag or an empty-element tag: `text[span]` from `<` to `>`.
pub(super) fn start_tag(
    text: &str,
    span: Range<usize>,
) -> Result<(Range<usize>, Vec<Attribute>), XmlFault> {
    let end = span.end - 1;
    let end = if text.as_bytes().get(end.wrapping_sub(1)) == Some(&b'/') { end - 1 } else { end };
    let mut at = span.start + 1;
    let name = take_name(text, at, "an element name")?;
    at = name.end;
    let attributes = attributes(text, at..end)?;
    Ok((name, attributes))
}

/// Reads an end tag and gives its name.
pub(super) fn end_tag(text: &str, span: &Range<usize>) -> Result<Range<usize>, XmlFault> {
    let name = take_name(text, span.start + 2, "an element name")?;
    let rest = text.get(name.end..span.end - 1).unwrap_or_default();
    if rest.chars().all(is_blank) {
        Ok(name)
    } else {
        Err(XmlFault::new(
            name.end,
            format!("expected `>` after the end tag's name, found `{rest}`"),
        ))
    }
}

fn take_name(text: &str, at: usize, what: &str) -> Result<Range<usize>, XmlFault> {
    let rest = text.get(at..).unwrap_or_default();
    let len = name_len(rest);
    let name = rest.get(..len).unwrap_or_default();
    if len == 0 {
        return Err(XmlFault::new(at, format!("expected {what}, found {}", found(rest))));
    }
    if is_too_long(name) {
        return Err(XmlFault::new(at, format!("expected {what} of at most {MAX_NAME} characters")));
    }
    if name.starts_with(':') || name.ends_with(':') || name.matches(':').count() > 1 {
        return Err(XmlFault::new(
            at,
            format!("expected {what} with at most one prefix, found `{name}`"),
        ));
    }
    Ok(at..at + len)
}

fn attributes(text: &str, span: Range<usize>) -> Result<Vec<Attribute>, XmlFault> {
    let mut attributes: Vec<Attribute> = Vec::new();
    let mut at = span.start;
    loop {
        let after = skip_blanks(text, at, span.end);
        if after == span.end {
            return Ok(attributes);
        }
        if after == at {
            return Err(XmlFault::new(
                at,
                format!("expected a blank before the attribute, found {}", found_at(text, at)),
            ));
        }
        if attributes.len() >= MAX_ATTRIBUTES {
            return Err(XmlFault::new(
                after,
                format!("more than {MAX_ATTRIBUTES} attributes in one tag"),
            ));
        }
        let name = take_name(text, after, "an attribute name")?;
        if attributes.iter().any(|other| text.get(other.name.clone()) == text.get(name.clone())) {
            let name_text = text.get(name.clone()).unwrap_or_default();
            return Err(XmlFault::new(
                after,
                format!("attribute `{name_text}` stands twice in one tag"),
            ));
        }
        let value = value(text, name.end, span.end)?;
        at = value.end + 1;
        attributes.push(Attribute { name, value });
    }
}

/// Reads `= "value"` from `at` and checks what is inside the quotes.
fn value(text: &str, at: usize, end: usize) -> Result<Range<usize>, XmlFault> {
    let equals = skip_blanks(text, at, end);
    if text.as_bytes().get(equals) != Some(&b'=') || equals >= end {
        return Err(XmlFault::new(
            at,
            format!("expected `=` after the attribute name, found {}", found_at(text, equals)),
        ));
    }
    let open = skip_blanks(text, equals + 1, end);
    let quote = match text.as_bytes().get(open) {
        Some(&quote @ (b'"' | b'\'')) if open < end => quote,
        _ => {
            return Err(XmlFault::new(
                open,
                format!("expected a quoted attribute value, found {}", found_at(text, open)),
            ));
        }
    };
    let inside = text.get(open + 1..end).unwrap_or_default();
    let Some(len) = memchr::memchr(quote, inside.as_bytes()) else {
        return Err(XmlFault::new(
            open,
            "expected the attribute value's closing quote, found none".to_owned(),
        ));
    };
    let value = open + 1..open + 1 + len;
    let content = text.get(value.clone()).unwrap_or_default();
    if let Some(less) = memchr::memchr(b'<', content.as_bytes()) {
        return Err(XmlFault::new(
            value.start + less,
            "`<` stands unescaped in an attribute value".to_owned(),
        ));
    }
    references(text, value.clone())?;
    Ok(value)
}

/// Checks every `&` of a span.
pub(super) fn references(text: &str, span: Range<usize>) -> Result<(), XmlFault> {
    let content = text.get(span.clone()).unwrap_or_default();
    for at in memchr::memchr_iter(b'&', content.as_bytes()) {
        let here = content.get(at..).unwrap_or_default();
        let message = match reference(here) {
            Reference::Legal(_) => continue,
            Reference::Bare => "`&` stands unescaped".to_owned(),
            Reference::Illegal(len) => {
                format!(
                    "`{}` refers to no character that XML allows",
                    here.get(..len).unwrap_or_default()
                )
            }
            Reference::Unknown(len) => {
                format!("entity `{}` is not declared", here.get(..len).unwrap_or_default())
            }
        };
        return Err(XmlFault::new(span.start + at, message));
    }
    Ok(())
}

/// Reads the XML declaration `text[span]`, `<?xml` to `?>`.
pub(super) fn declaration(text: &str, span: Range<usize>) -> Result<Declaration, XmlFault> {
    let fault = |message: &str| XmlFault::new(span.start, message.to_owned());
    let inner = span.start + 5..span.end - 2;
    let attributes = attributes(text, inner)?;
    let mut names = attributes
        .iter()
        .map(|a| (text.get(a.name.clone()).unwrap_or_default(), a.value.clone()))
        .peekable();
    let Some(("version", version)) = names.next() else {
        return Err(fault("expected `version` first in the XML declaration"));
    };
    let number = text.get(version.clone()).unwrap_or_default();
    if !matches!(number, "1.0" | "1.1") {
        return Err(XmlFault::new(
            version.start,
            format!("expected version 1.0 or 1.1, found `{number}`"),
        ));
    }
    let mut encoding = None;
    if let Some(("encoding", value)) = names.peek().cloned() {
        let label = text.get(value.clone()).unwrap_or_default();
        let legal = label.starts_with(|c: char| c.is_ascii_alphabetic())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !legal {
            return Err(XmlFault::new(
                value.start,
                format!("expected an encoding name, found `{label}`"),
            ));
        }
        encoding = Some(value);
        names.next();
    }
    if let Some(("standalone", value)) = names.peek().cloned() {
        if !matches!(text.get(value.clone()), Some("yes" | "no")) {
            return Err(XmlFault::new(value.start, "expected standalone `yes` or `no`".to_owned()));
        }
        names.next();
    }
    if names.next().is_some() {
        return Err(fault(
            "expected version, encoding, standalone in this order, nothing else, in the XML declaration",
        ));
    }
    Ok(Declaration { span, version, encoding })
}

fn skip_blanks(text: &str, at: usize, end: usize) -> usize {
    let rest = text.get(at..end).unwrap_or_default();
    at + (rest.len() - rest.trim_start_matches(is_blank).len())
}

fn found_at(text: &str, at: usize) -> String {
    found(text.get(at..).unwrap_or_default())
}

fn found(rest: &str) -> String {
    rest.chars().next().map_or_else(|| "the end".to_owned(), |c| format!("`{}`", c.escape_debug()))
}
