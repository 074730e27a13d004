//! What stands in for what was masked when a request was recorded. The same mask always becomes
//! the same value.

use crate::incidents::redact::MASK;

/// In place of anything that nobody knows.
const UNKNOWN: &str = "test";
/// In place of all but the last four digits of a number that began with `+`; no such number is
/// anybody's.
const INTERNATIONAL: &str = "1555010";
/// The same of any other number.
const NATIONAL: &str = "555010";
/// What the redaction leaves of a number's beginning.
const KEPT: usize = 4;

/// In place of a parameter's masked value.
pub(super) fn value(name: &str, masked: &str) -> String {
    if masked != MASK {
        return text(masked);
    }
    match name {
        "Digits" => "1",
        "HandoffData" => "{}",
        _ => UNKNOWN,
    }
    .to_owned()
}

/// In place of any text with masked pieces.
pub(super) fn text(masked: &str) -> String {
    let mut out = String::with_capacity(masked.len());
    let mut rest = masked;
    while let Some((before, after)) = rest.split_once('…') {
        let last: String = after.chars().map_while(ascii_digit).take(4).collect();
        out.push_str(before);
        if last.len() == 4 {
            let begun = begun(&out);
            out.truncate(out.len() - begun);
            let international = out.ends_with('+') || out.to_ascii_lowercase().ends_with("%2b");
            out.push_str(if international { INTERNATIONAL } else { NATIONAL });
            out.push_str(&last);
            rest = behind(after, 4);
        } else {
            out.push('…');
            rest = after;
        }
    }
    out.push_str(rest);
    out.replace(MASK, UNKNOWN)
}

/// Digits at the end that a `+` stands before: the beginning of a number. Where it and the last
/// four read like the number's own end (`+2972…0000` of +29729720000), they are masked too.
fn begun(text: &str) -> usize {
    let is_digit = |c: char| c == '*' || ascii_digit(c).is_some();
    let digits = text.len() - text.trim_end_matches(is_digit).len();
    let before = text.get(..text.len() - digits).unwrap_or_default();
    let count = text.chars().rev().take_while(|&c| is_digit(c)).count();
    if before.ends_with('+') && count <= KEPT { digits } else { 0 }
}

fn behind(text: &str, chars: usize) -> &str {
    let at = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    text.get(at..).unwrap_or_default()
}

/// A digit of any script that numbers are masked in.
fn ascii_digit(c: char) -> Option<char> {
    const ZEROS: [char; 5] = ['0', '\u{660}', '\u{6f0}', '\u{966}', '\u{ff10}'];
    ZEROS.iter().find_map(|&zero| {
        let value = u32::from(c).checked_sub(u32::from(zero))?;
        char::from_digit(value, 10)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::incidents::redact::Redaction;

    #[test]
    fn each_mask_has_its_substitute() {
        for (name, masked, expected) in [
            ("From", "+9725…4724", "+15550104724"),
            ("From", "whatsapp:+1555…4477", "whatsapp:+15550104477"),
            ("From", "sip:+…0123@pbx.example.com", "sip:+15550100123@pbx.example.com"),
            ("From", "+****…0000", "+15550100000"),
            ("From", "+2***…0000", "+15550100000"),
            ("CardHint", "…1111", "5550101111"),
            ("Called", "٠…٤٥٦٧", "٠5550104567"),
            ("Digits", "***", "1"),
            ("SpeechResult", "***", "test"),
            ("Body", "***", "test"),
            ("HandoffData", "***", "{}"),
            ("Note", "token=*** and more…", "token=test and more…"),
            ("Note", "wait…12", "wait…12"),
        ] {
            assert_eq!(value(name, masked), expected, "{name}={masked}");
        }
        assert_eq!(text("/calls/%2B…4477/menu"), "/calls/%2B15550104477/menu");
    }

    proptest! {
        #[test]
        fn a_masked_number_becomes_nobodys_with_the_same_end(
            number in "[2-9][0-9]{9,12}",
            plus: bool,
            before in prop::sample::select(vec!["", "tel:", "sip:", "whatsapp:", "call me at "]),
            after in prop::sample::select(vec!["", "@pbx.example.com", ", please", " "]),
        ) {
            let sign = if plus { "+" } else { "" };
            let said = format!("{before}{sign}{number}{after}");
            let masked = Redaction::default().text(&said);
            prop_assert!(masked.contains('…'), "{}", masked);
            let substitute = text(&masked);
            let begins = if plus { INTERNATIONAL } else { NATIONAL };
            let last = &number[number.len() - 4..];
            prop_assert_eq!(&substitute, &format!("{before}{sign}{begins}{last}{after}"));
            prop_assert_eq!(substitute, text(&masked));
        }

        #[test]
        fn any_text_is_taken_and_no_mask_is_left(any in "(\\PC|…[0-9]{4}|\\*{3}|\\+){0,40}") {
            let substitute = text(&any);
            prop_assert!(!substitute.contains(MASK), "{}", substitute);
            if !any.contains(MASK) && !any.contains('…') {
                prop_assert_eq!(substitute, any);
            }
        }
    }
}
