//! Text that fits a terminal: columns, wrapped lines, times as people say them.
//!
//! Widths are columns on the screen. Text from outside is made [`visible`] here, so that nothing
//! can forge a line, shift a column or steer a terminal.

use std::borrow::Cow;

use jiff::Timestamp;
use unicode_width::UnicodeWidthChar as _;

use crate::telemetry::visible::visible;

/// Most columns of a line.
pub(super) const COLUMNS: usize = 100;

/// Columns of a visible text.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Columns of a character, at least as many as a terminal takes.
pub(super) fn width(c: char) -> usize {
    match c {
        // Makes the symbol before it an emoji, which is wider.
        '\u{fe0f}' => 1,
        c => c.width().unwrap_or_default(),
    }
}

/// The text made visible, in at most so many columns; `…` where something is missing.
pub(super) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let text = visible(text);
    if columns(&text) <= most {
        return text;
    }
    let mut kept = String::new();
    let mut left = most.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(width(c)) else { break };
        left = rest;
        kept.push(c);
    }
    kept.push('…');
    Cow::Owned(kept)
}

/// The text made visible, in exactly so many columns.
pub(super) fn fitted(text: &str, exactly: usize) -> String {
    let mut text = cut(text, exactly).into_owned();
    text.extend(std::iter::repeat_n(' ', exactly.saturating_sub(columns(&text))));
    text
}

/// The text made visible, broken at blanks into lines of at most [`COLUMNS`]; the first begins with
/// `first`, the others with as many blanks. Ends in a line end.
pub(super) fn wrapped(first: &str, text: &str) -> String {
    let indent = columns(first);
    let lines = lines(text, COLUMNS.saturating_sub(indent).max(20));
    let mut out = String::from(first);
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// The text made visible, broken at blanks, or where it must be, into lines of so many columns.
pub(super) fn lines(text: &str, most: usize) -> Vec<String> {
    let text = visible(text);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let bare = columns(word.trim_end_matches(' '));
        if used > 0 && used + bare > most {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            if used + width(c) > most {
                if c == ' ' {
                    continue;
                }
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            used += width(c);
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end_matches(' ').len());
    }
    lines
}

/// `12,345`
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 incident`, `2 incidents`
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A duration in two or three digits: `184 ms`, `2.1 s`.
pub(super) fn millis(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => span(ms),
    }
}

/// A duration in its largest whole unit: `12 s`, `3 min`, `2 h`, `5 d`.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 min ago`
pub(super) fn ago(time_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(time_ms) {
        0..1_000 => "now".to_owned(),
        past => span(past) + " ago",
    }
}

/// To the minute, `11-25 08:29Z`; the date alone where the year is another one.
pub(super) fn minute(time_ms: u64, now_ms: u64) -> String {
    let shown = |format| written(time_ms, format);
    if shown("%Y") == written(now_ms, "%Y") { shown("%m-%d %H:%MZ") } else { shown("%Y-%m-%d") }
}

/// To the second, `11-25 08:29:53Z`; to the day where the year is another one.
pub(super) fn second(time_ms: u64, now_ms: u64) -> String {
    let shown = |format| written(time_ms, format);
    if shown("%Y") == written(now_ms, "%Y") { shown("%m-%d %H:%M:%SZ") } else { shown("%Y-%m-%d") }
}

/// A time in UTC, in a format of `strftime`.
pub(super) fn written(time_ms: u64, format: &str) -> String {
    let time = i64::try_from(time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| time_ms.to_string(), |time| time.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    #[test]
    fn cells_have_their_width_whatever_is_in_them() {
        assert_eq!(fitted("abc", 5), "abc  ");
        assert_eq!(fitted("abcdef", 5), "abcd…");
        assert_eq!(fitted("שלום", 5), "שלום ");
        assert_eq!(fitted("🙂🙂🙂", 4), "🙂… ");
        assert_eq!(fitted("a\nb\u{1b}", 20), "a\\nb<U+001B>        ");
    }

    #[test]
    fn lines_break_at_blanks_or_where_they_must() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(lines("", 4), [""]);
        assert_eq!(wrapped("fix: ", "it"), "fix: it\n");
        let long = wrapped("fix: ", &"word ".repeat(40));
        assert!(long.lines().skip(1).all(|line| line.starts_with("     word")), "{long}");
    }

    #[test]
    fn times_are_said_as_people_do() {
        assert_eq!(ago(1_000, 1_999), "now");
        assert_eq!(ago(0, 12_000), "12 s ago");
        assert_eq!(ago(0, 200_000), "3 min ago");
        assert_eq!(ago(0, 5 * 86_400_000), "5 d ago");
        assert_eq!(ago(9_000, 1_000), "now");
        assert_eq!(minute(1_795_595_393_614, 1_795_600_000_000), "11-25 08:29Z");
        assert_eq!(second(1_795_595_393_614, 1_795_600_000_000), "11-25 08:29:53Z");
        assert_eq!(minute(0, 1_795_600_000_000), "1970-01-01");
        assert_eq!((millis(184), millis(2_150)), ("184 ms".into(), "2.1 s".into()));
        assert_eq!((thousands(999), thousands(1_234_567)), ("999".into(), "1,234,567".into()));
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(text: String, most in 2_usize..120) {
            prop_assert!(cut(&text, most).width() <= most);
            prop_assert_eq!(columns(&fitted(&text, most)), most);
            for line in lines(&text, most) {
                prop_assert!(line.width() <= most, "{}", line);
            }
            for line in wrapped("    ", &text).lines() {
                prop_assert!(line.width() <= COLUMNS, "{}", line);
            }
        }
    }
}
