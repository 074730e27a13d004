//! Strings as programs print them: literals of Python, strings of JSON that lost their quotes, dumps of PHP, pairs and
//! lists around one string.

use super::causes::document as causes;
use super::unwrap::{Unwrapped, found};

/// What stands between the quotes of a string of JSON or JavaScript, where it lost one of them or
/// both: escapes between its tags, where no document has any.
pub(super) fn escapes(text: &str) -> Option<Unwrapped> {
    const MARKS: [&str; 6] = [">\\n", ">\\r\\n", "<\\/", "\\u003c", "\\u003C", "\\n<Response"];
    let bare = text.strip_prefix('"').unwrap_or(text);
    let bare = bare.strip_suffix('"').unwrap_or(bare);
    // Escaped quotes of attributes alone are mended one by one.
    let spoken = || bare.split('>').any(|part| part.split('<').next().unwrap_or("").contains('\\'));
    let between_tags = MARKS.iter().any(|mark| bare.contains(mark));
    if !between_tags && (!bare.contains("=\\\"") || !spoken()) || names_a_path(bare) {
        return None;
    }
    let mut quoted = String::with_capacity(bare.len() + 2);
    quoted.push('"');
    let mut escape = false;
    for c in bare.chars() {
        match c {
            '"' if !escape => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(c),
        }
        escape = c == '\\' && !escape;
    }
    quoted.push('"');
    let inner: String = serde_json::from_str(&quoted).ok()?;
    found(&causes::wrapped_in_literal::CAUSE, inner, text)
}

/// Whether `C:\\new` stands in a text: what looks like an escape is part of a path.
fn names_a_path(text: &str) -> bool {
    text.match_indices(":\\").any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let drive = before.ends_with(|c: char| c.is_ascii_alphabetic())
            && !before
                .get(..at.saturating_sub(1))
                .is_some_and(|text| text.ends_with(char::is_alphanumeric));
        let after = text.get(at + 2..).unwrap_or_default();
        drive && after.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

/// What PHP's `var_dump` prints of a string: `string(120) "…"`.
pub(super) fn dump(text: &str) -> Option<Unwrapped> {
    let rest = text.strip_prefix("string(")?;
    let (len, rest) = rest.split_once(") \"")?;
    let inner = rest.strip_suffix('"')?;
    let counted = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit());
    counted.then(|| found(&causes::wrapped_in_literal::CAUSE, inner.to_owned(), text)).flatten()
}

/// One literal within the brackets of a list, the parentheses of a pair with its status, or the braces of an object
/// with one field.
pub(super) fn bracketed(text: &str) -> Option<Unwrapped> {
    let within =
        |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    let inner =
        within('[', ']').or_else(|| within('(', ')').map(without_status)).or_else(|| {
            let (name, value) = within('{', '}')?.split_once(':')?;
            let name = name.trim().trim_matches('\'');
            super::envelope::is_field(name).then(|| value.trim())
        })?;
    literal(inner.trim_end_matches(',').trim_end())
        .map(|unwrapped| Unwrapped { evidence: text.chars().take(80).collect(), ..unwrapped })
}

/// `'…', 200` without its status.
fn without_status(text: &str) -> &str {
    let status = text.rsplit_once(',').filter(|(_, status)| {
        let status = status.trim();
        status.len() == 3 && status.starts_with('2') && status.bytes().all(|b| b.is_ascii_digit())
    });
    status.map_or(text, |(rest, _)| rest.trim_end())
}

/// The numbers of a document's bytes, as Node prints a buffer and Go a slice.
pub(super) fn byte_list(text: &str) -> Option<Unwrapped> {
    let list = if text.starts_with('{') {
        let (head, list) = text.split_once('[')?;
        let buffer = head.contains("\"Buffer\"") && head.contains("\"data\"") && head.len() < 40;
        list.strip_suffix('}').map(str::trim_end).filter(|_| buffer)?
    } else {
        text.strip_prefix('[')?
    };
    let numbers = list.strip_suffix(']')?.split(|c: char| c == ',' || c.is_whitespace());
    let bytes: Option<Vec<u8>> =
        numbers.filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect();
    found(&causes::wrapped_encoded::CAUSE, String::from_utf8(bytes?).ok()?, text)
}

/// The digits of a whole document in hexadecimal.
pub(super) fn hexadecimal(text: &str) -> Option<Unwrapped> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("\\x")).unwrap_or(text);
    if digits.len() < 24
        || !digits.len().is_multiple_of(2)
        || !digits.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return None;
    }
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        &[high, low] => Some(value(high)? * 16 + value(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    found(&causes::wrapped_encoded::CAUSE, String::from_utf8(bytes?).ok()?, text)
}

/// A string literal of Python: `b'…'`, `'…'`, with its escapes.
pub(super) fn literal(text: &str) -> Option<Unwrapped> {
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

    const TWIML: &str = "<Response><Say voice=\"alice\">Tom</Say></Response>";

    #[test]
    fn a_string_comes_out_of_what_is_printed_around_it() {
        let dumped = format!("string({}) \"{TWIML}\"", TWIML.len());
        assert_eq!(dump(&dumped).unwrap().inner, TWIML);
        for around in ["['@']", "[b'@']", "('@', 200)", "('@',)", "{'twiml': '@'}"] {
            assert_eq!(bracketed(&around.replace('@', TWIML)).unwrap().inner, TWIML, "{around}");
        }
        let hex = TWIML.bytes().fold(String::new(), |hex, b| hex + &format!("{b:02x}"));
        assert_eq!(hexadecimal(&hex).unwrap().inner, TWIML);
    }

    #[test]
    fn what_holds_more_or_failed_stays() {
        for around in ["['@', '@']", "('@', 500)", "{'error': '@'}", "{'a': 1, 'twiml': '@'}"] {
            assert!(bracketed(&around.replace('@', TWIML)).is_none(), "{around}");
        }
        assert!(escapes("<Response>\\n<Say>C:\\new</Say>\\n</Response>").is_none());
        assert!(escapes("<Response>\\n<Say>Hello:\\nworld</Say>\\n</Response>").is_some());
    }
}
