//! Taking a document out of what a backend wrapped around it: JSON, escapes, encodings.
//!
//! Only a text that is the wrapping as a whole is unwrapped; a document beside anything else is a
//! quotation, and stays one.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::causes::Cause;
use super::causes::document as causes;
use super::envelope;
use super::locate::only_carries;

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
        '"' | '{' | '[' => json(text),
        '<' => cdata(text).or_else(|| text_element(text)),
        '&' => escaped(text),
        '%' => url_encoded(text),
        '\'' | 'b' | 'u' if text.ends_with(['\'', '"']) => literal(text),
        _ => base64(text),
    }
}

fn found(cause: &'static Cause, inner: String, text: &str) -> Option<Unwrapped> {
    looks_like_twiml(&inner).then(|| Unwrapped {
        cause,
        inner,
        evidence: text.chars().take(80).collect(),
        alone: false,
    })
}

/// Whether a text is worth a further look: TwiML, or a wrapping of it.
pub fn looks_like_twiml(text: &str) -> bool {
    ["<Response", "&lt;Response", "&amp;lt;Response", "%3CResponse", "%3cResponse"]
        .iter()
        .any(|mark| text.contains(mark))
        || base64(text).is_some()
}

/// A JSON string, or an object with the document in one of the usual fields and no word of a fault.
fn json(text: &str) -> Option<Unwrapped> {
    let value: Value = serde_json::from_str(text).ok()?;
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

fn cdata(text: &str) -> Option<Unwrapped> {
    let inner = text.strip_prefix("<![CDATA[")?.strip_suffix("]]>")?;
    if inner.contains("]]>") {
        return None;
    }
    found(&causes::wrapped_in_cdata::CAUSE, inner.to_owned(), text)
}

/// One element that holds nothing but the escaped document, such as ASP.NET's `<string>`, or a
/// page of `<html><body><pre>` around it.
fn text_element(text: &str) -> Option<Unwrapped> {
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

/// HTML-escaped once; twice is once more.
fn escaped(text: &str) -> Option<Unwrapped> {
    let whole = text.starts_with("&lt;") || text.starts_with("&amp;lt;");
    let ends = text.ends_with("&gt;") || text.ends_with("&amp;gt;");
    if !whole || !ends || text.contains('<') {
        return None;
    }
    let inner = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    found(&causes::wrapped_escaped::CAUSE, inner, text)
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

/// The document that a text is in base64.
pub fn base64(text: &str) -> Option<Unwrapped> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let alphabet = packed.len() >= 24
        && packed.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if !alphabet {
        return None;
    }
    let bytes = STANDARD.decode(&packed).or_else(|_| STANDARD_NO_PAD.decode(&packed)).ok()?;
    let inner = String::from_utf8(bytes).ok()?;
    inner.contains("<Response").then(|| Unwrapped {
        cause: &causes::wrapped_encoded::CAUSE,
        inner,
        evidence: text.chars().take(80).collect(),
        alone: false,
    })
}

/// A string literal of Python: `b'…'`, `'…'`, with its escapes.
fn literal(text: &str) -> Option<Unwrapped> {
    let is_bytes = text.starts_with('b');
    let rest = text.strip_prefix(['b', 'u']).unwrap_or(text);
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = rest.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            return None;
        }
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        match chars.next()? {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '\\' => bytes.push(b'\\'),
            '\'' => bytes.push(b'\''),
            '"' => bytes.push(b'"'),
            'x' => {
                let byte = u8::try_from(hex(&mut chars, 2)?).ok()?;
                if is_bytes {
                    bytes.push(byte);
                } else {
                    push(&mut bytes, char::from(byte));
                }
            }
            'u' if !is_bytes => push(&mut bytes, char::from_u32(hex(&mut chars, 4)?)?),
            _ => return None,
        }
    }
    found(&causes::wrapped_in_literal::CAUSE, String::from_utf8(bytes).ok()?, text)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn hex(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<u32> {
    let text: String = chars.take(digits).collect();
    (text.len() == digits).then(|| u32::from_str_radix(&text, 16).ok()).flatten()
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
            format!("[{json}]"),
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
