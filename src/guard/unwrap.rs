//! Taking a document out of what a backend wrapped around it: JSON, escapes, encodings.
//!
//! Only a text that is the wrapping as a whole is unwrapped; a document beside anything else is a
//! quotation, and stays one.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::causes::Cause;
use super::causes::document as causes;
use super::coding;
use super::envelope;
use super::literals::{bracketed, byte_list, dump, escapes, hexadecimal, literal};
use super::page_around::only_carries;
use super::twiml::chars::name_len;
use super::twiml::grammar;

/// A wrapping that was taken off, and what was inside.
#[derive(Debug)]
pub struct Unwrapped {
    /// How it was wrapped.
    pub cause: &'static Cause,
    /// What was inside.
    pub inner: String,
    /// How the wrapping looked, for the record.
    pub evidence: String,
    /// Whether words beside the document, inside the wrapping, make it a quotation.
    pub alone: bool,
}

/// Takes off one wrapping; `None` if there is none that is known.
pub fn unwrap(text: &str) -> Option<Unwrapped> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let first = text.chars().next()?;
    match first {
        '"' => json(text).or_else(|| escapes(text)),
        '{' if text.starts_with("{&quot;") => {
            found(&causes::wrapped_escaped::CAUSE, unescaped(text), text)
        }
        '{' | '[' => json(text).or_else(|| bracketed(text)).or_else(|| byte_list(text)),
        '(' => bracketed(text),
        '<' => cdata(text).or_else(|| text_element(text)).or_else(|| {
            let begins = ["<?xml", "<!--", "<Response"].iter().any(|start| text.starts_with(start));
            begins.then(|| escapes(text)).flatten()
        }),
        '\\' if text.starts_with("\\x3") => {
            hexadecimal(text).or_else(|| literal(&format!("'{text}'")))
        }
        '\\' => escapes(text).or_else(|| literal(&format!("'{text}'"))),
        '&' => escaped(text),
        '%' => url_encoded(text),
        'd' if text.starts_with("data:") => data_url(text),
        '\'' | 'b' | 'u' if text.ends_with(['\'', '"']) => literal(text),
        's' if text.starts_with("string(") => dump(text),
        '0' | '3' => hexadecimal(text).or_else(|| base64(text)),
        _ => base64(text).or_else(|| form(text)).or_else(|| padded(text)),
    }
}

/// More than this does not come out of what is packed twice.
const MAX_INFLATED: usize = 1 << 20;

/// More lines than this are not printed before a wrapping.
const MAX_LINES: usize = 40;

/// A wrapping in JSON or a literal, whole, behind lines that a program printed before it.
pub fn unwrap_behind_lines(text: &str) -> Option<Unwrapped> {
    let starts = memchr::memchr_iter(b'\n', text.as_bytes()).take(MAX_LINES);
    let tails = starts.filter_map(|at| Some((text.get(..at)?, text.get(at + 1..)?.trim())));
    let mut wrapped = tails.filter(|(_, tail)| {
        tail.starts_with("{\"") || tail.starts_with("\"<") || tail.starts_with("b'<")
    });
    let (before, tail) = wrapped.next()?;
    let quotes = before.to_ascii_lowercase().contains("<response") || before.ends_with([',', ':']);
    if quotes || super::beside::quotes(before).is_some() {
        return None;
    }
    if tail.starts_with('b') { literal(tail) } else { json(tail) }
}

pub(super) fn found(cause: &'static Cause, inner: String, text: &str) -> Option<Unwrapped> {
    looks_like_twiml(&inner).then(|| Unwrapped {
        cause,
        inner,
        evidence: text.chars().take(80).collect(),
        alone: false,
    })
}

/// Whether a text is worth a further look: TwiML, or a wrapping of it.
pub fn looks_like_twiml(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["<response", "&lt;response", "&amp;lt;response", "%3cresponse"]
        .iter()
        .any(|mark| lower.contains(mark))
        || base64(text).is_some()
}

/// A JSON string, or an object with the document in one of the usual fields and no word of a fault.
fn json(text: &str) -> Option<Unwrapped> {
    let value: Value = serde_json::from_str(text).ok()?;
    let value = match value {
        Value::Array(items) => envelope::only_one(items)?,
        value => value,
    };
    let inner = match &value {
        Value::String(inner) => inner.clone(),
        Value::Object(_) => envelope::carried(&value)?,
        _ => return None,
    };
    // Of two fields with the same name a reader keeps one.
    let named = |text: &str| text.matches("Response").count();
    if named(text) != named(&value.to_string()) {
        return None;
    }
    let whole = value.is_string() || envelope::is_whole_answer(&value);
    let found = found(&causes::wrapped_in_json::CAUSE, inner, text)?;
    Some(Unwrapped { alone: !whole, ..found })
}

/// JSON or a literal as the argument of a function or class: `callback("…")`, `Markup('…')`.
fn padded(text: &str) -> Option<Unwrapped> {
    let (name, rest) = text.split_once('(')?;
    let named = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'));
    let argument = rest.trim_end().trim_end_matches(';').strip_suffix(')')?.trim();
    if !named {
        return None;
    }
    if argument.starts_with(['"', '{']) { json(argument) } else { literal(argument) }
}

fn cdata(text: &str) -> Option<Unwrapped> {
    let declared = text.strip_prefix("<?xml ").and_then(|rest| rest.split_once("?>"));
    let section = declared.map_or(text, |(_, rest)| rest.trim_start());
    let inner = section.strip_prefix("<![CDATA[")?.strip_suffix("]]>")?;
    if inner.contains("]]>") {
        return None;
    }
    found(&causes::wrapped_in_cdata::CAUSE, inner.to_owned(), text)
}

/// One element that holds nothing but the escaped document, such as ASP.NET's `<string>`, or a
/// page of `<html><body><pre>` around it.
fn text_element(text: &str) -> Option<Unwrapped> {
    let around = |part: &str| {
        super::pages::visible_text(part).chars().all(|c| c == '\u{feff}')
            && !part.contains("<!--")
            && !part.contains("<script")
    };
    if let Some((before, rest)) = text.split_once("<![CDATA[") {
        let (_, after) = rest.rsplit_once("]]>")?;
        let tags = before.split('<').skip(1);
        let mut names = tags.map(|tag| tag.get(..name_len(tag)).unwrap_or_default());
        let carries = |part: &str| around(part) && !part.to_ascii_lowercase().contains("fault");
        if !carries(before)
            || !carries(after)
            || !after.trim_start().starts_with("</")
            || names.any(|name| grammar::ignoring_case(name).is_some())
        {
            return None;
        }
        return cdata(text.get(before.len()..text.len() - after.len())?);
    }
    if text.contains("<Response") {
        return None;
    }
    let start = text.find("&lt;")?;
    let end = text.rfind("&gt;")? + 4;
    let (before, after) = (text.get(..start)?, text.get(end..)?);
    let hides = |part: &str| part.contains("<!--") || part.contains("<script");
    let inside = text.get(start..end)?;
    if hides(before) || hides(after) || inside.contains('<') || !only_carries(before, after) {
        return None;
    }
    escaped(inside)
}

/// Marks that are escaped by number, and their names.
const NUMBERED: [(&str, &str); 9] = [
    ("&#60;", "&lt;"),
    ("&#x3C;", "&lt;"),
    ("&#x3c;", "&lt;"),
    ("&#62;", "&gt;"),
    ("&#x3E;", "&gt;"),
    ("&#x3e;", "&gt;"),
    ("&#38;", "&amp;"),
    ("&#x26;", "&amp;"),
    ("&#x22;", "&quot;"),
];

/// HTML-escaped once; twice is once more.
fn escaped(text: &str) -> Option<Unwrapped> {
    let named = NUMBERED.iter().fold(text.to_owned(), |text, (number, name)| {
        if text.contains(number) { text.replace(number, name) } else { text }
    });
    let text = named.as_str();
    let bare = text.strip_prefix("&quot;").and_then(|text| text.strip_suffix("&quot;"));
    let bare = bare.unwrap_or(text);
    let whole = bare.starts_with("&lt;") || bare.starts_with("&amp;lt;");
    let ends = bare.ends_with("&gt;") || bare.ends_with("&amp;gt;") || bare.ends_with('>');
    if !whole || !ends || text.contains('<') {
        return None;
    }
    found(&causes::wrapped_escaped::CAUSE, unescaped(text), text)
}

/// A text with the escapes of HTML taken off once.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

fn url_encoded(text: &str) -> Option<Unwrapped> {
    // A form's encoding leaves no slash; where one stands, a `+` is one.
    let is_form = !text.contains("%20") && !text.contains([' ', '/']);
    let text_plus = if is_form { text.replace('+', "%20") } else { text.to_owned() };
    let inner = percent_decode_str(&text_plus).decode_utf8().ok()?.into_owned();
    if text.contains(['<', '>']) {
        return None;
    }
    found(&causes::wrapped_encoded::CAUSE, inner, text)
}

/// The one field of a form that holds a document, where the others tell of no fault.
fn form(text: &str) -> Option<Unwrapped> {
    let mut fields = text.split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    let is_document =
        |value: &str| value.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("%3c"));
    let (documents, others): (Vec<_>, Vec<_>) =
        fields.by_ref().take(MAX_LINES).partition(|(_, value)| is_document(value));
    let sound = |(name, value): &(&str, &str)| {
        let text = percent_decode_str(value).decode_utf8_lossy().into_owned();
        !text.contains('<') && !envelope::tells_of_fault(name, &Value::String(text))
    };
    match documents.as_slice() {
        [(name, value)]
            if envelope::is_field(name) && others.iter().all(sound) && fields.next().is_none() =>
        {
            url_encoded(value)
        }
        _ => None,
    }
}

fn data_url(text: &str) -> Option<Unwrapped> {
    let (head, data) = text.split_once(',')?;
    if head.ends_with(";base64") { base64(data) } else { url_encoded(data) }
}

/// The document that a text is in base64.
pub fn base64(text: &str) -> Option<Unwrapped> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    let packed: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    let alphabet = packed.len() >= 24
        && packed.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if !alphabet {
        return None;
    }
    let bytes = STANDARD.decode(&packed).or_else(|_| STANDARD_NO_PAD.decode(&packed)).ok()?;
    let bytes = if bytes.starts_with(b"\x1f\x8b") {
        coding::decode(&http::HeaderMap::new(), &bytes.into(), MAX_INFLATED).ok()?.body.to_vec()
    } else {
        bytes
    };
    let inner = String::from_utf8(bytes).ok()?;
    (inner.contains("<Response") || base64(&inner).is_some()).then(|| Unwrapped {
        cause: &causes::wrapped_encoded::CAUSE,
        inner,
        evidence: text.chars().take(80).collect(),
        alone: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWIML: &str = "<Response><Say voice=\"alice\">Tom &amp; שלום</Say></Response>";

    #[track_caller]
    fn check(wrapped: &str, slug: &str) {
        let unwrapped = unwrap(wrapped).unwrap_or_else(|| panic!("{wrapped}"));
        assert_eq!((unwrapped.cause.slug, unwrapped.inner.as_str()), (slug, TWIML));
    }

    #[test]
    fn every_wrapping_comes_off() {
        let json = serde_json::to_string(TWIML).unwrap();
        check(&json, "wrapped-in-json");
        check(&format!("[{json}, 200, {{\"Content-Type\": \"text/xml\"}}]"), "wrapped-in-json");
        check(&format!("callback({json});"), "wrapped-in-json");
        check(&format!("{{\"data\":{{\"voice\":{{\"twiml\":{json}}}}}}}"), "wrapped-in-json");
        check(&format!("{{\"ok\":true,\"twiml\":{json}}}"), "wrapped-in-json");
        check(&format!("{{\"data\":{{\"body\":{json}}}}}"), "wrapped-in-json");
        check(
            &format!("{{\"statusCode\":200,\"headers\":{{}},\"body\":{json}}}"),
            "wrapped-in-json",
        );
        check(
            "{\"statusCode\":200,\"isBase64Encoded\":true,\"body\":\"PFJlc3BvbnNlPjxTYXkgdm9pY2U9ImFsaWNlIj5Ub20gJmFtcDsg16nXnNeV1508L1NheT48L1Jlc3BvbnNlPg==\"}",
            "wrapped-in-json",
        );
        check(
            "PFJlc3BvbnNlPjxTYXkgdm9pY2U9ImFsaWNlIj5Ub20gJmFtcDsg16nXnNeV1508L1NheT48L1Jlc3BvbnNlPg==",
            "wrapped-encoded",
        );
        let escaped = TWIML
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        check(&escaped, "wrapped-escaped");
        check(
            &format!("<string xmlns=\"http://tempuri.org/\">{escaped}</string>"),
            "wrapped-escaped",
        );
        check(&format!("<html><body><pre>{escaped}</pre></body></html>"), "wrapped-escaped");
        check(
            "%3CResponse%3E%3CSay%20voice%3D%22alice%22%3ETom%20%26amp%3B%20%D7%A9%D7%9C%D7%95%D7%9D%3C%2FSay%3E%3C%2FResponse%3E",
            "wrapped-encoded",
        );
        check(&format!("<![CDATA[{TWIML}]]>"), "wrapped-in-cdata");
        check(
            "b'<Response><Say voice=\"alice\">Tom &amp; \\xd7\\xa9\\xd7\\x9c\\xd7\\x95\\xd7\\x9d</Say></Response>'",
            "wrapped-in-literal",
        );
        check(
            "'<Response><Say voice=\"alice\">Tom &amp; שלום</Say></Response>'",
            "wrapped-in-literal",
        );
    }

    #[test]
    fn what_only_speaks_of_twiml_stays() {
        let json = serde_json::to_string(TWIML).unwrap();
        for text in [
            format!("{{\"error\":\"bad\",\"twiml\":{json}}}"),
            format!("{{\"statusCode\":500,\"body\":{json}}}"),
            format!("{{\"body\":{json},\"old\":{json}}}"),
            format!("[{json},{json}]"),
            format!("[{json},500]"),
            "status=500&body=%3CResponse%3E%3C%2FResponse%3E".to_owned(),
            format!("{{\"example\":{json}}}"),
            "<p>Send &lt;Response&gt;&lt;/Response&gt;</p>".to_owned(),
            "{\"ok\":true}".to_owned(),
            "Hello".to_owned(),
            TWIML.to_owned(),
        ] {
            assert!(unwrap(&text).is_none(), "{text}");
        }
    }
}
