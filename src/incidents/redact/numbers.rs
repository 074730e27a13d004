//! Numbers: telephones, cards, codes.

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
pub(super) fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    // The word that is being read began at `word`.
    let (mut at, mut word) = (0, 0);
    while let Some(&c) = chars.get(at) {
        let plus = c == '+' && chars.get(at + 1).is_some_and(|&next| is_digit(next) || next == '(');
        let taken = escape(chars.get(at..).unwrap_or_default());
        if taken > 0 {
            masked.extend(chars.get(at..at + taken).unwrap_or_default());
            at += taken;
            word = at;
        } else if !plus && !is_digit(c) {
            masked.push(c);
            at += 1;
            word = if c.is_ascii_alphanumeric() { word } else { at };
        } else if !plus && is_date(&chars, at) {
            masked.extend(chars.get(at..at + 10).unwrap_or_default());
            at += 10;
            word = at;
        } else {
            let run = Run::at(&chars, at + usize::from(plus), plus);
            let end = run.end.max(at + 1);
            let cut = run.digits.len() > LEFT;
            if cut && chars.get(end) == Some(&CUT) {
                // Its last four are not known.
                push_head(&mut masked, &run.digits, plus);
                word = end;
            } else if cut && at.checked_sub(1).and_then(|before| chars.get(before)) == Some(&CUT) {
                masked.extend(run.digits.get(run.digits.len() - LEFT..).unwrap_or_default());
                word = end;
            } else if is_number(&chars, word..at, &run, plus) {
                push_masked(&mut masked, &run.digits, plus);
                word = end;
            } else {
                masked.extend(chars.get(at..end).unwrap_or_default());
                word = if plus || !run.is_solid { end } else { word };
            }
            at = end;
        }
    }
    masked
}

/// Characters of an escape at the start (`%2B`, `\xe9`, `\u002b`, `\n`), which is no part of the word
/// behind it.
fn escape(rest: &[char]) -> usize {
    let hex = |range: std::ops::Range<usize>| {
        rest.get(range).is_some_and(|digits| digits.iter().all(char::is_ascii_hexdigit))
    };
    match rest {
        ['%', ..] if hex(1..3) => 3,
        ['\\', 'x', ..] if hex(2..4) => 4,
        ['\\', 'u', ..] if hex(2..6) => 6,
        ['\\', 'n' | 'r' | 't', ..] => 2,
        _ => 0,
    }
}

fn push_masked(masked: &mut String, digits: &[char], plus: bool) {
    push_head(masked, digits, plus);
    masked.push(CUT);
    masked.extend(digits.get(digits.len() - LEFT..).unwrap_or_default());
}

/// What is kept before the masked digits.
fn push_head(masked: &mut String, digits: &[char], plus: bool) {
    let kept = if plus { 4.min(digits.len().saturating_sub(6)) } else { 0 };
    if plus {
        masked.push('+');
    }
    masked.extend(digits.get(..kept).unwrap_or_default());
}

/// Digits with what may stand between them.
struct Run {
    digits: Vec<char>,
    /// Just behind the last digit.
    end: usize,
    /// Digits between dots, where there are dots and nothing else.
    groups: Vec<usize>,
    /// Whether nothing stands between the digits.
    is_solid: bool,
}

impl Run {
    /// The run whose first digit is at `start`. Behind a plus any separators may mix; else a
    /// dotted number has nothing but dots.
    fn at(chars: &[char], start: usize, plus: bool) -> Self {
        let mut run = Self { digits: Vec::new(), end: start, groups: vec![0], is_solid: true };
        let (mut at, mut dots, mut others) = (start, false, false);
        while let Some(&c) = chars.get(at) {
            let gap = at - run.end;
            if is_digit(c) {
                if gap > 0 && !run.digits.is_empty() {
                    run.is_solid = false;
                    let dotted = chars.get(run.end) == Some(&'.');
                    dots |= dotted;
                    others |= !dotted;
                    if dotted {
                        run.groups.push(0);
                    }
                }
                run.digits.push(c);
                if let Some(last) = run.groups.last_mut() {
                    *last += 1;
                }
                run.end = at + 1;
            } else {
                let fits = match c {
                    '.' => gap == 0 && (plus || !others) && !run.digits.is_empty(),
                    c if is_blank(c) => {
                        (plus || !dots) && gap < 3 && (plus || !run.digits.is_empty())
                    }
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
}

fn is_number(chars: &[char], word: std::ops::Range<usize>, run: &Run, plus: bool) -> bool {
    if run.digits.len() < SHORTEST {
        return false;
    }
    if plus {
        return true;
    }
    match run.groups.as_slice() {
        [_] => {}
        // A telephone's number starts with 0; fractions with `0.` or another digit, or they are
        // those of a time's seconds.
        [whole, _] => {
            let seconds = word.start.checked_sub(1).and_then(|at| chars.get(at)) == Some(&':');
            let telephone = *whole > 1 && run.digits.first() == Some(&'0') && !seconds;
            if !telephone && *whole < 13 {
                return false;
            }
        }
        [a, b, c] if matches!((a, b, c), (1..=2, 1..=2, 4) | (4, 1..=2, 1..=2)) => return false,
        groups if groups.len() == 4 && groups.iter().all(|&digits| digits <= 3) => return false,
        _ => {}
    }
    let letters_after = chars.get(run.end).is_some_and(char::is_ascii_alphabetic);
    match (Glue::of(chars.get(word).unwrap_or_default()), letters_after) {
        (Glue::None, false) => true,
        // `tel0501234567` is a number with a name before it, `SM0501…` and `be05012…` are words.
        (Glue::Name, false) => run.digits.len() >= SHORTEST_GLUED,
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
    fn of(word: &[char]) -> Self {
        // A SID's prefix is two capitals.
        let sid = word.len() == 2 && word.iter().all(char::is_ascii_uppercase);
        if word.is_empty() {
            Self::None
        } else if !sid && word.iter().any(|c| !c.is_ascii_hexdigit()) {
            Self::Name
        } else {
            Self::Hex
        }
    }
}

/// `2026-01-31`, with no digit behind.
fn is_date(chars: &[char], start: usize) -> bool {
    let Some(date) = chars.get(start..start + 10) else { return false };
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        date.get(range)?.iter().try_fold(0, |sum, c| Some(sum * 10 + c.to_digit(10)?))
    };
    date.get(4) == Some(&'-')
        && date.get(7) == Some(&'-')
        && digits(0..4).is_some_and(|year| (1900..2200).contains(&year))
        && digits(5..7).is_some_and(|month| (1..=12).contains(&month))
        && digits(8..10).is_some_and(|day| (1..=31).contains(&day))
        && !chars.get(start + 10).copied().is_some_and(is_digit)
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
mod tests {
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
}
