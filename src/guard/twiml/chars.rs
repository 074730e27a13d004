//! Character classes of XML 1.0.

use super::names;

/// `Char` (XML 1.0, production 2).
pub fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
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

/// Reads the reference at the start of `text`, which begins with `&`.
pub fn reference(text: &str) -> Reference {
    let Some(end) = text.as_bytes().iter().take(66).position(|&b| b == b';') else {
        return Reference::Bare;
    };
    let inner = text.get(1..end).unwrap_or_default();
    let len = end + 1;
    if let Some(number) = inner.strip_prefix('#') {
        let parsed = match number.strip_prefix('x') {
            Some(hex) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u32::from_str_radix(hex, 16).ok()
            }
            None if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
                number.parse().ok()
            }
            _ => return Reference::Bare,
        };
        return match parsed.and_then(char::from_u32) {
            Some(c) if is_char(c) => Reference::Legal(len),
            _ => Reference::Illegal(len),
        };
    }
    if matches!(inner, "amp" | "lt" | "gt" | "quot" | "apos") {
        return Reference::Legal(len);
    }
    if !inner.is_empty() && name_len(inner) == inner.len() {
        Reference::Unknown(len)
    } else {
        Reference::Bare
    }
}
