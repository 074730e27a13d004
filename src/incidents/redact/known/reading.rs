//! Readings of a text: as it stands, and with escapes undone.

use crate::telemetry::bytes;

/// Whether a text has no other reading than itself: nothing in it is an escape, or left out of one.
pub(super) fn reads_as_it_stands(text: &str) -> bool {
    !bytes::any(text, |byte| matches!(byte, b'%' | b'&' | b'\\' | b'\0'))
}

/// The text as it is, and with escapes undone once and twice where that makes a difference.
pub(super) fn readings(text: &str) -> Vec<Plain> {
    let mut readings = vec![Plain::from(text)];
    for _ in 0..2 {
        let Some(next) = readings.last().and_then(Plain::unescaped) else { break };
        readings.push(next);
    }
    readings
}

/// A reading of a text: each of its bytes as one character (bytes from 0x80 on as U+0080 and
/// following), with the place in the text that it was read from.
pub(super) struct Plain {
    pub(super) text: String,
    /// For each byte of `text`: where what it was read from starts and ends.
    from: Vec<(u32, u32)>,
}

impl From<&str> for Plain {
    fn from(text: &str) -> Self {
        let mut plain = Self { text: String::with_capacity(text.len()), from: Vec::new() };
        // UTF-16 that was read as something else is full of NULs.
        for (at, c) in text.char_indices().filter(|(_, c)| *c != '\0') {
            // A character is masked as a whole.
            let span = (at, at + c.len_utf8());
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer).bytes().for_each(|byte| plain.push(byte, span));
        }
        plain
    }
}

impl Plain {
    /// A text's bytes, each as one character.
    pub(super) fn bytewise(text: &str) -> String {
        if !bytes::any(text, |byte| byte == b'+' || !byte.is_ascii()) {
            return text.to_owned();
        }
        text.bytes().map(|byte| if byte == b'+' { ' ' } else { char::from(byte) }).collect()
    }

    fn push(&mut self, byte: u8, (start, end): (usize, usize)) {
        // A form's blank is a plus.
        let c = if byte == b'+' { ' ' } else { char::from(byte) };
        self.text.push(c);
        let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
        self.from.extend(std::iter::repeat_n((place(start), place(end)), c.len_utf8()));
    }

    /// The place in the original of a piece of this reading.
    pub(super) fn span(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let place = |at| usize::try_from(at).ok();
        let first = self.from.get(start)?.0;
        let last = self.from.get(end.checked_sub(1)?)?.1;
        Some((place(first)?, place(last)?))
    }

    /// The same with escapes undone: `%2B`, `&amp;`, `&#43;`, `\u002b`, `\x2b`, `\"`; `None` where there
    /// are none.
    fn unescaped(&self) -> Option<Self> {
        if !self.text.contains(['%', '&', '\\']) {
            return None;
        }
        let mut plain = Self { text: String::with_capacity(self.text.len()), from: Vec::new() };
        let (mut at, mut found) = (0, false);
        while let Some(c) = self.text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = self.text.get(at..).unwrap_or_default();
            let escaped = escape(rest);
            found |= escaped.is_some();
            let (read, length) = escaped.unwrap_or((c, c.len_utf8()));
            let span = self.span(at, at + length)?;
            let is_byte = rest.starts_with('%') || rest.starts_with("\\x");
            if escaped.is_some() && !read.is_ascii() && !is_byte {
                let mut buffer = [0; 4];
                read.encode_utf8(&mut buffer).bytes().for_each(|byte| plain.push(byte, span));
            } else {
                // Below U+0100 here: a byte.
                plain.push(u8::try_from(u32::from(read)).unwrap_or(b'?'), span);
            }
            at += length;
        }
        found.then_some(plain)
    }
}

/// The character that an escape at the start stands for, and the escape's length.
fn escape(rest: &str) -> Option<(char, usize)> {
    let hex = |digits: Option<&str>| {
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        char::from_u32(u32::from_str_radix(digits, 16).ok()?)
    };
    let mut bytes = rest.bytes();
    match (bytes.next()?, bytes.next()) {
        (b'%', _) => Some((hex(rest.get(1..3))?, 3)),
        (b'\\', Some(b'x')) => Some((hex(rest.get(2..4))?, 4)),
        (b'\\', Some(b'u')) => Some((hex(rest.get(2..6))?, 6)),
        (b'\\', Some(quoted @ (b'"' | b'\'' | b'\\' | b'/'))) => Some((char::from(quoted), 2)),
        (b'&', _) => {
            let end = rest.bytes().take(10).position(|byte| byte == b';')?;
            let read = match rest.get(1..end)? {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => ' ',
                "plus" => '+',
                name => {
                    let digits = name.strip_prefix('#')?;
                    match digits.strip_prefix(['x', 'X']) {
                        Some(digits) => hex(Some(digits))?,
                        None => char::from_u32(digits.parse().ok()?)?,
                    }
                }
            };
            Some((read, end + 1))
        }
        _ => None,
    }
}
