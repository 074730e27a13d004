//! Character classes of XML 1.0.

/// `Char` (XML 1.0, production 2).
pub fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// `S` (production 3).
pub fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// A character that may begin a name: ASCII and the letters of widely used scripts that the fourth
/// edition of XML 1.0 lists (appendix B, `Letter`). Xerces reads names by that edition; the fifth
/// would let emoji and zero-width characters pass.
pub fn is_name_start(c: char) -> bool {
    matches!(c, ':' | 'A'..='Z' | '_' | 'a'..='z') || (!c.is_ascii() && is_letter(c))
}

fn is_letter(c: char) -> bool {
    matches!(c,
        // Latin
        '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{131}' | '\u{134}'..='\u{13e}'
        | '\u{141}'..='\u{148}' | '\u{14a}'..='\u{17e}' | '\u{180}'..='\u{1c3}'
        // Greek
        | '\u{386}' | '\u{388}'..='\u{38a}' | '\u{38c}' | '\u{38e}'..='\u{3a1}'
        | '\u{3a3}'..='\u{3ce}'
        // Cyrillic
        | '\u{401}'..='\u{40c}' | '\u{40e}'..='\u{44f}' | '\u{451}'..='\u{45c}'
        | '\u{45e}'..='\u{481}'
        // Armenian, Hebrew, Arabic
        | '\u{531}'..='\u{556}' | '\u{561}'..='\u{586}' | '\u{5d0}'..='\u{5ea}'
        | '\u{621}'..='\u{63a}' | '\u{641}'..='\u{64a}' | '\u{671}'..='\u{6b7}'
        // Devanagari, Thai
        | '\u{905}'..='\u{939}' | '\u{e01}'..='\u{e2e}'
        // Kana, Han, Hangul
        | '\u{3041}'..='\u{3094}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fa5}'
        | '\u{ac00}'..='\u{d7a3}')
}

/// A character that may stand in a name, by the same edition.
pub fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}')
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
/// A text with its references resolved; as it is where one can't be.
pub fn plain(raw: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::unescape(raw).unwrap_or(std::borrow::Cow::Borrowed(raw))
}
