//! How numbers are masked, character by character: what the quick form is held against.

use super::{CUT, Glue, LEFT, SHORTEST, SHORTEST_GLUED, is_blank, is_digit};

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
