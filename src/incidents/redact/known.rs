//! What a request told: values and numbers that a backend may repeat in any spelling.

mod reading;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use self::reading::{Plain, readings, reads_as_it_stands};
use super::{MASK, Redaction, is_secret_name};
use crate::config::Capture;
use crate::telemetry::bytes;
use crate::twilio::Params;

/// Fewest characters of a value that is looked for: shorter ones are choices of a menu, and stand
/// in any text by chance.
const SHORTEST: usize = 4;
/// Fewest characters of a cookie's value that is looked for.
const SHORTEST_COOKIE: usize = 6;
/// Most values of each kind.
const MOST: usize = 32;
/// Digits at the end of a number by which it is known, with or without its country's code.
const TAIL: usize = 7;
/// Numbers of so many digits are below this.
const TAIL_LIMIT: u32 = 10_000_000;
/// Digits that are left of it.
const LEFT: usize = 4;
/// Most characters, tags counted as one, between two digits of a number.
const MAX_GAP: usize = 8;
/// Longest tag between two digits.
const MAX_TAG: usize = 256;

/// Values of one request that are nobody's business.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Credentials of the guard itself.
    own: Vec<String>,
    /// Credentials and configured parameters: masked always.
    secrets: Vec<String>,
    /// What was keyed, spoken or written.
    private: Vec<String>,
    /// The last digits of telephones' numbers.
    tails: Vec<String>,
    /// These as numbers.
    tail_values: Vec<u32>,
}

impl Known {
    /// The guard's own credentials alone.
    pub(super) fn own(secrets: Vec<String>) -> Self {
        Self { own: secrets, ..Self::default() }
    }

    /// What these parameters and headers tell.
    pub(super) fn of<'h>(
        redaction: &Redaction,
        params: &Params,
        headers: impl Iterator<Item = &'h HeaderMap>,
    ) -> Self {
        let mut known = Self::own(redaction.own.own.clone());
        for (name, value) in params.iter() {
            if redaction.is_secret(name) {
                add(&mut known.secrets, value, SHORTEST);
            } else if Redaction::is_private(name) {
                add(&mut known.private, value, SHORTEST);
            } else if let Some(tail) = telephone(value) {
                add(&mut known.tails, &tail, TAIL);
            } else if let Some(user) = sip_user(value) {
                add(&mut known.private, user, SHORTEST);
            }
        }
        for (name, value) in headers.flatten().filter(|(name, _)| is_secret_name(name.as_str())) {
            let Ok(value) = value.to_str() else { continue };
            match name.as_str() {
                "cookie" => {
                    let values = value.split(';').filter_map(|cookie| cookie.split_once('='));
                    values.for_each(|(_, own)| add(&mut known.secrets, own, SHORTEST_COOKIE));
                }
                "authorization" | "proxy-authorization" => known.add_authorization(value),
                _ => add(&mut known.secrets, value, SHORTEST_COOKIE),
            }
        }
        known.tail_values = known.tails.iter().filter_map(|tail| tail.parse().ok()).collect();
        known
    }

    fn add_authorization(&mut self, value: &str) {
        let credentials = value.split_once(' ').map_or(value, |(_, credentials)| credentials);
        add(&mut self.secrets, credentials, SHORTEST_COOKIE);
        let decoded =
            STANDARD.decode(credentials.trim()).ok().and_then(|b| String::from_utf8(b).ok());
        if let Some((_, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) {
            add(&mut self.secrets, password, SHORTEST);
        }
    }

    /// The text with the values masked, however they are escaped; `None` where there are none.
    pub(super) fn mask_values(&self, text: &str, capture: Capture) -> Option<String> {
        let values = || self.values(capture);
        // No reading is longer than this: each byte is a character of at most two bytes.
        if values().all(|value| value.len() > 2 * text.len()) {
            return None;
        }
        // What is not ASCII stands in no value that is.
        if reads_as_it_stands(text) && (text.is_ascii() || values().all(|value| value.is_ascii())) {
            // As in a reading, of which no place is asked for.
            let plain: Cow<'_, str> =
                if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
            if !values().any(|value| plain.contains(value.as_str())) {
                return None;
            }
        }
        self.mask_values_read(text, capture)
    }

    /// The same, found in every reading of the text.
    fn mask_values_read(&self, text: &str, capture: Capture) -> Option<String> {
        let mut spans = Vec::new();
        for plain in readings(text) {
            for value in self.values(capture) {
                let found = plain.text.match_indices(value.as_str());
                spans.extend(found.filter_map(|(at, value)| plain.span(at, at + value.len())));
            }
        }
        replaced(text, spans, |_| MASK.to_owned())
    }

    /// The values that are masked.
    fn values(&self, capture: Capture) -> impl Iterator<Item = &String> {
        let private = if capture == Capture::Full { &[] } else { self.private.as_slice() };
        self.own.iter().chain(&self.secrets).chain(private)
    }

    /// The text with the digits of numbers masked that something stands between: markup, escapes.
    /// `None` where there are none.
    pub(super) fn mask_numbers(&self, text: &str) -> Option<String> {
        let digits = bytes::count(text, |byte| byte.is_ascii_digit());
        if self.tails.is_empty() || digits < TAIL {
            return None;
        }
        if reads_as_it_stands(text) && !text.contains('<') {
            // The last seven digits up to each one.
            let (mut last, mut seen, mut is_there) = (0, 0, false);
            for byte in text.bytes() {
                let digit = byte.wrapping_sub(b'0');
                if digit > 9 {
                    continue;
                }
                last = (last * 10 + u32::from(digit)) % TAIL_LIMIT;
                seen += 1;
                for tail in &self.tail_values {
                    is_there |= *tail == last && seen >= TAIL;
                }
            }
            if !is_there {
                return None;
            }
        }
        self.mask_numbers_read(text)
    }

    /// The same, found in every reading of the text.
    fn mask_numbers_read(&self, text: &str) -> Option<String> {
        let mut spans = Vec::new();
        for plain in readings(text) {
            let digits = Digits::of(&plain.text);
            for tail in &self.tails {
                let found = digits.values.match_indices(tail.as_str());
                for (at, _) in found.filter(|(at, _)| digits.belong_together(*at..at + TAIL)) {
                    let first = digits.first_of_group(at);
                    let places = digits.places.get(first..at + TAIL - LEFT).unwrap_or_default();
                    spans.extend(places.iter().filter_map(|&(at, _)| plain.span(at, at + 1)));
                }
            }
        }
        replaced(text, spans, |_| "*".to_owned())
    }
}

fn add(values: &mut Vec<String>, value: &str, shortest: usize) {
    let value = value.trim();
    if value.chars().count() < shortest || values.len() >= MOST {
        return;
    }
    let value = Plain::bytewise(value);
    if !values.contains(&value) {
        values.push(value);
    }
}

/// The last digits of a value that is a telephone's number, in any of Twilio's spellings.
fn telephone(value: &str) -> Option<String> {
    let is_glue = |byte: u8| matches!(byte, b' ' | b'+' | b'-' | b'.' | b'(' | b')');
    // Most values are none: they begin as no number does, and name no kind of address before one.
    let begins = |first: u8| first.is_ascii_digit() || is_glue(first);
    if !value.as_bytes().first().copied().is_some_and(begins)
        && memchr::memchr(b':', value.as_bytes()).is_none()
    {
        return None;
    }
    // Or have too few digits for one.
    if bytes::count(value, |byte| byte.is_ascii_digit()) < TAIL {
        return None;
    }
    let number = value.rsplit_once(':').map_or(value, |(_, number)| number);
    let number = number.split('@').next()?;
    if !number.bytes().all(|byte| byte.is_ascii_digit() || is_glue(byte)) {
        return None;
    }
    let digits = number.bytes().filter(u8::is_ascii_digit);
    let count = digits.clone().count();
    let tail = || {
        let mut tail = String::with_capacity(TAIL);
        digits.skip(count - TAIL).for_each(|digit| tail.push(char::from(digit)));
        tail
    };
    (TAIL..=15).contains(&count).then(tail)
}

/// The user of a SIP address.
fn sip_user(value: &str) -> Option<&str> {
    let rest = value.strip_prefix("sip:").or_else(|| value.strip_prefix("sips:"))?;
    Some(rest.split_once('@')?.0)
}

/// Replaces spans, of which some may overlap.
fn replaced(
    text: &str,
    mut spans: Vec<(usize, usize)>,
    with: impl Fn(&str) -> String,
) -> Option<String> {
    if spans.is_empty() {
        return None;
    }
    spans.sort_unstable();
    let (mut masked, mut copied) = (String::with_capacity(text.len()), 0);
    for (start, end) in spans {
        if start >= copied {
            masked.push_str(text.get(copied..start).unwrap_or_default());
            masked.push_str(&with(text.get(start..end).unwrap_or_default()));
        }
        copied = copied.max(end);
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    Some(masked)
}

/// The digits of a text and where they stand.
struct Digits {
    values: String,
    /// Place, and whether little enough stands between this digit and the one before.
    places: Vec<(usize, bool)>,
}

impl Digits {
    fn of(text: &str) -> Self {
        let mut digits = Self { values: String::new(), places: Vec::new() };
        let (mut at, mut gap) = (0, usize::MAX);
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let mut length = c.len_utf8();
            if c.is_ascii_digit() {
                digits.values.push(c);
                digits.places.push((at, gap <= MAX_GAP));
                gap = 0;
            } else if c.is_ascii_alphabetic() {
                gap = usize::MAX;
            } else {
                length = tag(text.as_bytes().get(at..).unwrap_or_default()).unwrap_or(length);
                gap = gap.saturating_add(1);
            }
            at += length;
        }
        digits
    }

    fn belong_together(&self, range: std::ops::Range<usize>) -> bool {
        let after_first = range.start + 1..range.end;
        self.places.get(after_first).is_some_and(|places| places.iter().all(|(_, near)| *near))
    }

    /// The first digit of those before this one that belong to it, as far as a number goes.
    fn first_of_group(&self, at: usize) -> usize {
        let earlier = (0..8).take_while(|back| {
            at.checked_sub(*back).and_then(|at| self.places.get(at)).is_some_and(|(_, near)| *near)
        });
        at.saturating_sub(earlier.count())
    }
}

/// The length of a tag at the start.
fn tag(rest: &[u8]) -> Option<usize> {
    let is_tag = rest.first() == Some(&b'<')
        && rest.get(1).is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, b'/' | b'!'));
    let end = is_tag.then(|| rest.iter().take(MAX_TAG).position(|c| *c == b'>'))??;
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: &[u8] = b"From=%2B15550167823&Digits=778899&SpeechResult=%D7%A9%D7%9C%D7%95%D7%9D+%22a%26b%22+it%27s&CallStatus=ringing&pass=f%2Boo";

    fn knowing() -> Redaction {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Basic YWxpY2U6czNjcjN0"),
            ("cookie", "theme=dark; sid=s3cr3t-sid"),
            ("x-twilio-signature", "c2lnbmF0dXJl"),
            ("x-trace", "abcdefgh"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        Redaction::default().knowing(&Params::from_form(FORM), [&headers])
    }

    #[test]
    fn private_values_are_found_in_any_spelling() {
        for text in [
            "said שלום \"a&b\" it's.",
            "said %D7%A9%D7%9C%D7%95%D7%9D+%22a%26b%22+it%27s.",
            "said %d7%a9%d7%9c%d7%95%d7%9d%20%22a%26b%22%20it's.",
            "said שלום &quot;a&amp;b&quot; it&#39;s.",
            "said שלום &#34;a&#38;b&#34; it&#x27;s.",
            r#"said \u05e9\u05dc\u05d5\u05dd \"a\u0026b\" it's."#,
            r"said \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \x22a&b\x22 it\'s.",
            "said %25D7%25A9%25D7%259C%25D7%2595%25D7%259D%2520%2522a%2526b%2522%2520it%2527s.",
        ] {
            assert_eq!(knowing().text(text), "said ***.", "{text}");
        }
    }

    #[test]
    fn a_value_is_found_in_a_text_that_is_no_longer() {
        let none: [&HeaderMap; 0] = [];
        let form = b"SpeechResult=%D7%A9%D7%9C%D7%95%D7%9D";
        let redaction = Redaction::default().knowing(&Params::from_form(form), none);
        assert_eq!(redaction.text("שלום"), "***");
    }

    #[test]
    fn credentials_are_found_where_they_have_no_name() {
        let text = "YWxpY2U6czNjcjN0 s3cr3t s3cr3t-sid c2lnbmF0dXJl f+oo abcdefgh dark";
        for capture in [Capture::Masked, Capture::Full] {
            let shown = knowing().with(capture).text(text);
            assert_eq!(shown, "*** *** *** *** *** abcdefgh dark");
        }
        assert_eq!(knowing().with(Capture::Full).text("keyed 778899"), "keyed 778899");
        assert_eq!(knowing().text("keyed 778899"), "keyed ***");
    }

    #[test]
    fn numbers_are_found_with_anything_between_their_digits() {
        for (text, masked) in [
            ("<b>555</b>-<b>016</b>-<b>7823</b>", "<b>***</b>-<b>***</b>-<b>7823</b>"),
            ("555/016/7823", "***/***/7823"),
            ("1_555_016_7823", "*_***_***_7823"),
            ("555&nbsp;016&#45;7823", "***&nbsp;***&#45;7823"),
            ("555%2D016%2D7823", "***%2D***%2D7823"),
            ("&#53;&#53;&#53;&#48;&#49;&#54;7823", "******7823"),
            (
                "['5', '5', '5', '0', '1', '6', '7', '8', '2', '3']",
                "['*', '*', '*', '*', '*', '*', '7', '8', '2', '3']",
            ),
            ("15550167823px", "*******7823px"),
            ("016, 7823", "***, 7823"),
        ] {
            assert_eq!(knowing().text(text), masked);
        }
        for same in ["016 and 7823", "line 16: 7823", "<b>0167</b> x <b>823</b>"] {
            assert_eq!(knowing().text(same), same);
        }
    }

    #[test]
    fn what_twilio_says_stays() {
        let redaction =
            Redaction::default().knowing(&Params::from_form(b"SpeechResult=ringing"), []);
        assert_eq!(redaction.param("CallStatus", "ringing"), "ringing");
        assert_eq!(redaction.param("Said", "ringing"), "***");
    }

    proptest! {
        #[test]
        fn what_is_plainly_not_there_is_passed_by_and_nothing_else(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "5550167823", "555", "0167823", "77", "8899", "+1", " ", "-", "<b>", "<", ">", "9",
                    "f", "+oo", " oo", "s3cr3t", "s3cr3t-sid", "it's", "\"a&b\"", "%37", "ש", "x",
                    "…", "\0", "שלום", "\\x37", "&#x5e9;", "&#56;", "é",
                ]),
                0..9,
            )
        ) {
            let text = pieces.concat();
            let known = knowing().known;
            for capture in [Capture::Masked, Capture::Full] {
                let read = known.mask_values_read(&text, capture);
                prop_assert_eq!(known.mask_values(&text, capture), read);
            }
            prop_assert_eq!(known.mask_numbers(&text), known.mask_numbers_read(&text));
        }

        #[test]
        fn a_telephone_is_known_by_its_last_digits(value in "[a-z]{0,3}:?[0-9 +.()@-]{0,24}|[+]?[0-9]{6,8}|[+]?[0-9]{14,16}|.{0,12}") {
            let number = value.rsplit_once(':').map_or(&*value, |(_, number)| number);
            let number = number.split('@').next().unwrap();
            let digits: String = number.chars().filter(char::is_ascii_digit).collect();
            let is_one = number.chars().all(|c| c.is_ascii_digit() || " +-.()".contains(c))
                && (TAIL..=15).contains(&digits.len());
            let tail = is_one.then(|| digits[digits.len() - TAIL..].to_owned());
            prop_assert_eq!(telephone(&value), tail);
        }
    }
}
