//! Character classes of XML 1.0.

use super::names;

/// `Char` (XML 1.0, production 2).
pub fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether a text is nothing but printable ASCII and its blanks, as most are: all bytes are looked
/// at, many at a time.
pub fn is_plain(text: &[u8]) -> bool {
    let mut chunks = text.chunks_exact(CHUNK);
    let is_plain = |chunk: &[u8]| chunk.iter().fold(0, |odd, b| odd | u8::from(is_odd(*b))) == 0;
    chunks.by_ref().all(is_plain) && is_plain(chunks.remainder())
}

/// As many bytes are looked at together.
const CHUNK: usize = 32;

// Without a branch, so that they can be.
#[allow(clippy::needless_bitwise_bool)]
const fn is_odd(b: u8) -> bool {
    (b < b' ') & (b != b'\t') & (b != b'\n') & (b != b'\r') | (b > b'~')
}

/// `S` (production 3).
pub fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// A character that may begin a name.
pub fn is_name_start(c: char) -> bool {
    matches!(c, ':' | 'A'..='Z' | '_' | 'a'..='z') || (!c.is_ascii() && names::is_letter(c))
}

/// A character that may stand in a name.
pub fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9') || (!c.is_ascii() && names::is_mark(c))
}

/// Longest name, and name of a namespace, in UTF-16 units: the JDK's Xerces refuses longer ones.
pub const MAX_NAME: usize = 1000;

/// Whether a name is longer than parsers take.
pub fn is_too_long(name: &str) -> bool {
    name.len() > MAX_NAME && name.encode_utf16().count() > MAX_NAME
}

/// Length in bytes of the `Name` at the start of `text`; 0 if there is none.
pub fn name_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        Some((_, c)) if is_name_start(c) => {}
        _ => return 0,
    }
    chars.find(|&(_, c)| !is_name_char(c)).map_or(text.len(), |(at, _)| at)
}

/// What stands at an `&`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// One of the five entities or a reference to a legal character; its length in bytes.
    Legal(usize),
    /// `&name;` with a name that XML does not know; its length in bytes.
    Unknown(usize),
    /// `&#…;` to a character that XML does not allow; its length in bytes.
    Illegal(usize),
    /// No reference at all.
    Bare,
}

/// Longest name of an entity that is looked for behind an `&`.
const MAX_ENTITY_NAME: usize = 64;

/// Reads the reference at the start of `text`, which begins with `&`.
pub fn reference(text: &str) -> Reference {
    let inner = text.get(1..).unwrap_or_default();
    // Digits may be as many as they like, names end soon: what is scanned is not scanned again.
    let end = match inner.strip_prefix('#') {
        Some(number) => {
            number.bytes().position(|b| !b.is_ascii_alphanumeric()).map(|digits| digits + 1)
        }
        None => inner.bytes().take(MAX_ENTITY_NAME + 1).position(|b| b == b';'),
    };
    let Some(end) = end.filter(|&end| inner.as_bytes().get(end) == Some(&b';')) else {
        return Reference::Bare;
    };
    let (inner, len) = (inner.get(..end).unwrap_or_default(), end + 2);
    if let Some(number) = inner.strip_prefix('#') {
        return match code_point(number) {
            None => Reference::Bare,
            Some(code) if char::from_u32(code).is_some_and(is_char) => Reference::Legal(len),
            Some(_) => Reference::Illegal(len),
        };
    }
    if predefined(inner).is_some() {
        return Reference::Legal(len);
    }
    if !inner.is_empty() && name_len(inner) == inner.len() {
        Reference::Unknown(len)
    } else {
        Reference::Bare
    }
}

/// The number in a reference; what is too large to be read is too large to be a character.
fn code_point(number: &str) -> Option<u32> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    let digits = digits.chars().all(|c| c.is_digit(radix)).then_some(digits)?;
    (!digits.is_empty()).then(|| u32::from_str_radix(digits, radix).unwrap_or(u32::MAX))
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "quot" => Some('"'),
        _ => None,
    }
}

/// An attribute's value as a parser hands it over: references resolved, blanks made spaces.
pub fn attribute_value(raw: &str) -> String {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let referred = match reference(rest) {
            Reference::Legal(len) if c == '&' => rest.get(1..len - 1).map(|inner| (inner, len)),
            _ => None,
        };
        let (c, len) = match referred {
            Some((inner, len)) => {
                let number = inner.strip_prefix('#').and_then(code_point);
                let referred = number.and_then(char::from_u32).or_else(|| predefined(inner));
                (referred.unwrap_or(c), len)
            }
            None if is_blank(c) => (' ', 1),
            None => (c, c.len_utf8()),
        };
        value.push(c);
        rest = rest.get(len..).unwrap_or_default();
    }
    value
}

/// A text with its references resolved; as it is where one can't be.
pub fn plain(raw: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::unescape(raw).unwrap_or(std::borrow::Cow::Borrowed(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_what_prints_in_ascii_and_its_blanks() {
        for b in 0..=u8::MAX {
            let is_one = matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r');
            for length in [1, 31, 32, 33, 64, 70] {
                for at in [0, length / 2, length - 1] {
                    let mut text = vec![b'a'; length];
                    text[at] = b;
                    assert_eq!(is_plain(&text), is_one, "{b} at {at} of {length}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    #[test]
    fn numbers_may_be_long_and_must_be_characters() {
        let zeros = "0".repeat(100);
        for text in [format!("&#{zeros}65;"), format!("&#x{zeros}41;"), "&#x1F600;".to_owned()] {
            assert_eq!(reference(&text), Reference::Legal(text.len()));
        }
        for text in ["&#0;", "&#xd800;", "&#x110000;", "&#99999999999;", "&#xfffe;"] {
            assert_eq!(reference(text), Reference::Illegal(text.len()), "{text}");
        }
        for text in ["&#;", "&#x;", "&#X41;", "&#-1;", "&#6 5;", "&#65", "&#+65;", "&;", "&"] {
            assert_eq!(reference(text), Reference::Bare, "{text}");
        }
    }

    #[test]
    fn values_are_what_a_parser_hands_over() {
        assert_eq!(attribute_value("a&#x62;\n&amp;lt; &apos;&#10;é"), "ab &lt; '\né");
    }
}
