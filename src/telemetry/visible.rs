//! Invisible characters made visible, so that a log line or a screen shows what was there and
//! nothing can forge a line or steer a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::bytes;

/// The text with every invisible character written as `<U+FEFF>`; line feeds as `\n`, carriage
/// returns as `\r`, tabs as `\t`. Hebrew and other scripts stay as they are. The result is one
/// line without control characters.
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_invisible(c) => {
                // Writing to a String can't fail.
                let _ = write!(shown, "<U+{:04X}>", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The same, cut to at most `max` characters of the original, with `…` where something was cut.
pub fn visible_bounded(text: &str, max: usize) -> String {
    bounded(Cow::Borrowed(text), max).into_owned()
}

/// The same of a text that may be kept as it is.
pub fn bounded(text: Cow<'_, str>, max: usize) -> Cow<'_, str> {
    // There are no more characters than bytes.
    let cut = if text.len() <= max { None } else { text.char_indices().nth(max) };
    match cut {
        Some((at, _)) => format!("{}…", visible(text.get(..at).unwrap_or_default())).into(),
        None => match visible(&text) {
            Cow::Owned(shown) => Cow::Owned(shown),
            Cow::Borrowed(_) => text,
        },
    }
}

/// Bytes as text: what is not UTF-8 as `\xNN`, the rest as [`visible`].
pub fn visible_bytes(bytes: &[u8], max: usize) -> String {
    let mut shown = String::new();
    let mut left = max;
    for chunk in bytes.utf8_chunks() {
        if left == 0 {
            shown.push('…');
            break;
        }
        let text = visible_bounded(chunk.valid(), left);
        left = left.saturating_sub(chunk.valid().chars().count());
        shown.push_str(&text);
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
            left = left.saturating_sub(1);
        }
    }
    shown
}

/// Whether all of a text is printable ASCII, as nearly all are.
fn is_plain(text: &str) -> bool {
    !bytes::any(text, |byte| !matches!(byte, b' '..=b'~'))
}

fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2800}'
            | '\u{3000}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{fffe}'..='\u{ffff}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_can_not_be_seen_is_named() {
        assert_eq!(
            visible("\u{feff}<a>\u{a0}\u{202e}\u{1b}[31m\n"),
            "<U+FEFF><a><U+00A0><U+202E><U+001B>[31m\\n"
        );
        assert_eq!(visible_bytes(b"a\xffb\xe2\x80\xa8", 10), "a\\xffb<U+2028>");
    }

    #[test]
    fn scripts_and_emoji_stay() {
        for text in ["שלום", "مرحبا", "🙂 ok", "naïve"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

    /// The plain form: character by character.
    fn plain(text: &str, max: usize) -> String {
        let one = |c: char| match c {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            c if is_invisible(c) => format!("<U+{:04X}>", u32::from(c)),
            c => c.to_string(),
        };
        let shown: String = text.chars().take(max).map(one).collect();
        if text.chars().count() > max { shown + "…" } else { shown }
    }

    proptest! {
        #[test]
        fn it_is_shown_as_the_plain_form_says(text in "[ -~]{0,30}|.{0,30}|[ -~\n\t\r\u{7f}א\u{feff}]{0,30}", max in 0..40_usize) {
            prop_assert_eq!(visible(&text), plain(&text, usize::MAX));
            prop_assert_eq!(visible_bounded(&text, max), plain(&text, max));
        }

        #[test]
        fn nothing_invisible_remains(bytes: Vec<u8>, text: String) {
            for shown in [visible_bytes(&bytes, 10_000), visible(&text).into_owned(), visible_bounded(&text, 5)] {
                prop_assert!(!shown.chars().any(is_invisible), "{shown:?}");
                // Whatever the table above says: no line ends, no escapes, no direction.
                let steers = |c: char| c.is_control() || "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}".contains(c);
                prop_assert!(!shown.contains(steers), "{shown:?}");
            }
        }
    }
}
