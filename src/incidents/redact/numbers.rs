//! Numbers: telephones, cards, codes.

use std::borrow::Cow;
use std::ops::Range;

use crate::telemetry::bytes;

/// Fewest digits of a number that is masked.
const SHORTEST: usize = 7;
/// Fewest digits of one that is glued to letters (`call15550104477`).
const SHORTEST_GLUED: usize = 9;
/// Digits that are left at the end of one.
const LEFT: usize = 4;
/// Stands where a text was cut, and where digits were masked.
const CUT: char = '…';

/// Masks every number of seven digits and more but for its last four: `+972501234724` becomes
/// `+9725…4724`, `4111 1111 1111 1111` becomes `…1111`. Blanks, dashes, parentheses and dots may
/// stand between the digits, which may be of any script. Dates, times, fractions, IP addresses,
/// versions and the digits of hexadecimal words stay.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    // Next to a cut five digits are masked, elsewhere seven; fewer never are.
    if digits_at_most(text) <= LEFT {
        return Cow::Borrowed(text);
    }
    let masked = if text.is_ascii() {
        if may_hold_one(text.as_bytes()) { masked(text.as_bytes()) } else { None }
    } else {
        masked(&text.chars().collect::<Vec<_>>())
    };
    masked.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// At least as many as there are digits of any script: those that are not ASCII are told by how
/// they begin in UTF-8.
fn digits_at_most(text: &str) -> usize {
    bytes::count(text, |byte| matches!(byte, b'0'..=b'9' | 0xd9 | 0xdb | 0xe0 | 0xef))
}

/// Whether enough digits for a number stand in ASCII with nothing between them that ends a run. Next
/// to a cut, which is no ASCII, fewer would do.
fn may_hold_one(bytes: &[u8]) -> bool {
    let mut digits = 0;
    bytes.iter().any(|byte| {
        let is_digit = byte.is_ascii_digit();
        let goes_on = is_digit || Unit::is_blank(*byte) || *byte == b'.';
        digits = if goes_on { digits + usize::from(is_digit) } else { 0 };
        digits >= SHORTEST
    })
}

/// A character of a text: a byte where all of the text is ASCII.
trait Unit: Copy {
    fn char(self) -> char;
    fn is_digit(self) -> bool;
    fn is_blank(self) -> bool;
}

impl Unit for char {
    fn char(self) -> char {
        self
    }

    fn is_digit(self) -> bool {
        is_digit(self)
    }

    fn is_blank(self) -> bool {
        is_blank(self)
    }
}

/// ASCII.
impl Unit for u8 {
    #[inline]
    fn char(self) -> char {
        char::from(self)
    }

    #[inline]
    fn is_digit(self) -> bool {
        self.is_ascii_digit()
    }

    #[inline]
    fn is_blank(self) -> bool {
        matches!(self, b' ' | b'-' | b'(' | b')')
    }
}

/// What is to be masked of a text, read from its start; a text in which nothing is costs no memory.
struct Masking<'t, U> {
    units: &'t [U],
    masked: String,
    /// Up to where the text is in `masked`.
    copied: usize,
}

impl<U: Unit> Masking<'_, U> {
    /// Puts in what a run becomes, in place of the text from `at` to `end`.
    fn replace(&mut self, at: usize, end: usize, with: impl FnOnce(&mut String)) {
        self.copy(at);
        with(&mut self.masked);
        self.copied = end;
    }

    fn copy(&mut self, end: usize) {
        let units = self.units.get(self.copied..end).unwrap_or_default();
        self.masked.extend(units.iter().map(|unit| unit.char()));
        self.copied = end;
    }

    fn done(mut self) -> Option<String> {
        (self.copied > 0).then(|| {
            self.copy(self.units.len());
            self.masked
        })
    }
}

/// The text with its numbers masked; `None` where there are none.
fn masked<U: Unit>(units: &[U]) -> Option<String> {
    let mut masking = Masking { units, masked: String::new(), copied: 0 };
    let unit = |at: usize| units.get(at).map(|unit| unit.char());
    // The word that is being read began at `word`.
    let (mut at, mut word) = (0, 0);
    while let Some(own) = units.get(at).copied() {
        let c = own.char();
        let starts = |next: &U| next.is_digit() || next.char() == '(';
        let plus = c == '+' && units.get(at + 1).is_some_and(starts);
        if !plus && !own.is_digit() {
            let taken = if matches!(c, '%' | '\\') { escape(units, at) } else { 0 };
            at += taken.max(1);
            word = if taken == 0 && c.is_ascii_alphanumeric() { word } else { at };
        } else if !plus && is_date(units, at) {
            at += 10;
            word = at;
        } else {
            let run = Run::at(units, at + usize::from(plus), plus);
            let end = run.end.max(at + 1);
            let cut = run.digits > LEFT;
            if cut && unit(end) == Some(CUT) {
                // Its last four are not known.
                masking.replace(at, end, |masked| run.push_head(units, masked, plus));
                word = end;
            } else if cut && at.checked_sub(1).and_then(unit) == Some(CUT) {
                masking.replace(at, end, |masked| run.push_tail(units, masked));
                word = end;
            } else if is_number(units, word..at, &run, plus) {
                masking.replace(at, end, |masked| {
                    run.push_head(units, masked, plus);
                    masked.push(CUT);
                    run.push_tail(units, masked);
                });
                word = end;
            } else {
                word = if plus || !run.is_solid { end } else { word };
            }
            at = end;
        }
    }
    masking.done()
}

/// Characters of an escape at this place (`%2B`, `\xe9`, `\u002b`, `\n`), which is no part of the
/// word behind it.
fn escape<U: Unit>(units: &[U], at: usize) -> usize {
    let unit = |at: usize| units.get(at).map(|unit| unit.char());
    let hex = |from: usize, to: usize| {
        let digits = units.get(at + from..at + to);
        digits.is_some_and(|digits| digits.iter().all(|digit| digit.char().is_ascii_hexdigit()))
    };
    match unit(at) {
        Some('%') if hex(1, 3) => 3,
        Some('\\') => match unit(at + 1) {
            Some('x') if hex(2, 4) => 4,
            Some('u') if hex(2, 6) => 6,
            Some('n' | 'r' | 't') => 2,
            _ => 0,
        },
        _ => 0,
    }
}

/// Digits with what may stand between them.
struct Run {
    /// How many they are.
    digits: usize,
    /// Where the first one is looked for.
    start: usize,
    /// Just behind the last digit.
    end: usize,
    /// How many groups dots make of them, where there are dots and nothing else; the digits of the
    /// first four.
    groups: usize,
    sizes: [usize; 4],
    /// Whether the first one is an ASCII 0.
    is_zero_first: bool,
    /// Whether nothing stands between the digits.
    is_solid: bool,
}

impl Run {
    /// The run whose first digit is at `start`. Behind a plus any separators may mix; else a
    /// dotted number has nothing but dots.
    fn at<U: Unit>(units: &[U], start: usize, plus: bool) -> Self {
        let mut run = Self {
            digits: 0,
            start,
            end: start,
            groups: 1,
            sizes: [0; 4],
            is_zero_first: false,
            is_solid: true,
        };
        let (mut at, mut dots, mut others) = (start, false, false);
        while let Some(unit) = units.get(at).copied() {
            let c = unit.char();
            let gap = at - run.end;
            if unit.is_digit() {
                if gap > 0 && run.digits > 0 {
                    run.is_solid = false;
                    let dotted = units.get(run.end).is_some_and(|unit| unit.char() == '.');
                    dots |= dotted;
                    others |= !dotted;
                    run.groups += usize::from(dotted);
                }
                run.is_zero_first |= run.digits == 0 && c == '0';
                run.digits += 1;
                if let Some(last) = run.sizes.get_mut(run.groups - 1) {
                    *last += 1;
                }
                run.end = at + 1;
            } else {
                let fits = match c {
                    '.' => gap == 0 && (plus || !others) && run.digits > 0,
                    _ if unit.is_blank() => (plus || !dots) && gap < 3 && (plus || run.digits > 0),
                    _ => false,
                };
                if !fits {
                    break;
                }
            }
            at += 1;
        }
        run
    }

    fn values<'u, U: Unit>(&self, units: &'u [U]) -> impl Iterator<Item = char> + 'u {
        let own = units.get(self.start..self.end).unwrap_or_default();
        own.iter().filter(|unit| unit.is_digit()).map(|unit| unit.char())
    }

    /// What is kept before the masked digits.
    fn push_head<U: Unit>(&self, units: &[U], masked: &mut String, plus: bool) {
        if plus {
            masked.push('+');
            masked.extend(self.values(units).take(4.min(self.digits.saturating_sub(6))));
        }
    }

    /// What is kept behind them.
    fn push_tail<U: Unit>(&self, units: &[U], masked: &mut String) {
        masked.extend(self.values(units).skip(self.digits.saturating_sub(LEFT)));
    }
}

fn is_number<U: Unit>(units: &[U], word: Range<usize>, run: &Run, plus: bool) -> bool {
    if run.digits < SHORTEST {
        return false;
    }
    if plus {
        return true;
    }
    match (run.groups, run.sizes) {
        // A telephone's number starts with 0; fractions with `0.` or another digit, or they are
        // those of a time's seconds.
        (2, [whole, ..]) => {
            let before = word.start.checked_sub(1).and_then(|at| units.get(at));
            let seconds = before.is_some_and(|unit| unit.char() == ':');
            let telephone = whole > 1 && run.is_zero_first && !seconds;
            if !telephone && whole < 13 {
                return false;
            }
        }
        (3, [1..=2, 1..=2, 4, _] | [4, 1..=2, 1..=2, _]) => return false,
        (4, sizes) if sizes.iter().all(|&digits| digits <= 3) => return false,
        _ => {}
    }
    let letters_after = units.get(run.end).is_some_and(|unit| unit.char().is_ascii_alphabetic());
    match (Glue::of(units.get(word).unwrap_or_default()), letters_after) {
        (Glue::None, false) => true,
        // `tel0501234567` is a number with a name before it, `SM0501…` and `be05012…` are words.
        (Glue::Name, false) => run.digits >= SHORTEST_GLUED,
        _ => false,
    }
}

/// The ASCII word directly before a number.
enum Glue {
    /// None: other scripts glue their prepositions to numbers.
    None,
    /// A word that is not hexadecimal.
    Name,
    /// A hexadecimal word, or a SID's prefix.
    Hex,
}

impl Glue {
    fn of<U: Unit>(word: &[U]) -> Self {
        // A SID's prefix is two capitals.
        let sid = word.len() == 2 && word.iter().all(|unit| unit.char().is_ascii_uppercase());
        if word.is_empty() {
            Self::None
        } else if !sid && word.iter().any(|unit| !unit.char().is_ascii_hexdigit()) {
            Self::Name
        } else {
            Self::Hex
        }
    }
}

/// `2026-01-31`, with no digit behind.
fn is_date<U: Unit>(units: &[U], start: usize) -> bool {
    let Some(date) = units.get(start..start + 10) else { return false };
    let is_dash = |at: usize| date.get(at).is_some_and(|unit| unit.char() == '-');
    let digits = |range: Range<usize>| -> Option<u32> {
        let mut units = date.get(range)?.iter();
        units.try_fold(0, |sum, unit| Some(sum * 10 + unit.char().to_digit(10)?))
    };
    is_dash(4)
        && is_dash(7)
        && digits(0..4).is_some_and(|year| (1900..2200).contains(&year))
        && digits(5..7).is_some_and(|month| (1..=12).contains(&month))
        && digits(8..10).is_some_and(|day| (1..=31).contains(&day))
        && !units.get(start + 10).is_some_and(|unit| unit.is_digit())
}

/// Decimal digits of the scripts in which numbers are written to callers.
fn is_digit(c: char) -> bool {
    matches!(c, '0'..='9' | '\u{660}'..='\u{669}' | '\u{6f0}'..='\u{6f9}' | '\u{966}'..='\u{96f}' | '\u{ff10}'..='\u{ff19}')
}

/// What may stand between a number's digits, marks of direction among them.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        ' ' | '-' | '(' | ')' | '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}'
            | '\u{202a}'..='\u{202f}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod plain;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn telephone_and_card_numbers_keep_their_last_four() {
        for (text, masked) in [
            ("call +972501234724 now", "call +9725…4724 now"),
            ("call +15550104…", "call +15…"),
            ("call 0501234…", "call …"),
            ("…0104477 is out", "…4477 is out"),
            ("+1555…4477", "+1555…4477"),
            ("tel +972-50-1234567", "tel +9725…4567"),
            ("<Dial>+1 (555) 010-4477</Dial>", "<Dial>+1555…4477</Dial>"),
            ("card 4111 1111 1111 1111.", "card …1111."),
            ("card 4111.1111.1111.1111", "card …1111"),
            ("PIN 0501234567", "PIN …4567"),
            ("555.010.4477", "…4477"),
            ("050.1234567", "…4567"),
            ("2026-01-01 0501234567", "2026-01-01 …4567"),
            ("From=%2B15550104477", "From=%2B…4477"),
            (r#""\u002b15550104477""#, r#""\u002b…4477""#),
            (r"line\n0501234567", r"line\n…4567"),
            (r"\xe90501234567", r"\xe9…4567"),
            ("התקשרו ל0501234567", "התקשרו ל…4567"),
            ("recording_15550104477.mp3", "recording_…4477.mp3"),
            ("call15550104477.wav", "call…4477.wav"),
            ("٠٥٠١٢٣٤٥٦٧", "…٤٥٦٧"),
            ("\u{202a}050\u{2011}123\u{2011}4567\u{202c}", "\u{202a}…4567\u{202c}"),
        ] {
            assert_eq!(mask(text), masked);
        }
    }

    #[test]
    fn what_is_no_number_stays() {
        for same in [
            "CA0123456789abcdef0123456789abcdef",
            "SM01234567890123456789012345678901",
            "line 12, column 3",
            "2026-01-01 00:00:00.123456",
            "2026-01-01T00:00:00Z",
            "25.11.2026",
            "0.12345678",
            "17.123456789 s",
            "שלום 123",
            "http://127.0.0.1:5000/a",
            "192.168.100.100",
            "gunicorn/20.1.0",
            "port 5432",
            "<Pause length=\"10\"/>",
            "0192f0c4-1a2b-7c3d-8e4f-0123456789ab",
            "+ 1",
            "a+b",
        ] {
            assert_eq!(mask(same), same);
        }
    }

    /// Pieces that numbers, and what only looks like one, are made of.
    const PIECES: &str =
        r"([0-9]{1,9}|[+(). -]{1,3}|[a-fA-Fx]{1,3}|[٠-٩…:\\u%n]|2026-01-31|[ -~]|.)";

    proptest! {
        #[test]
        fn it_is_masked_as_the_plain_form_says(
            pieces in prop::collection::vec(PIECES, 0..24),
            is_ascii: bool,
        ) {
            let mut text = pieces.concat();
            if is_ascii {
                text.retain(|c| c.is_ascii());
            }
            prop_assert_eq!(mask(&text), plain::mask(&text));
        }
    }
}
