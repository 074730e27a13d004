//! `number-malformed`: something else than a telephone number where one is dialled or shown.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::Element;
use crate::guard::words;
use crate::twilio::limits;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "number-malformed",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13223, 13224, 13214, 13247, 13248, 14101, 14102],
    evidence: Evidence::Documented,
    explain: "something else than a telephone number is dialled, shown or texted",
    remedy: "write numbers as E.164: + and at most 15 digits",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (at, element) in reading.document.elements.iter().enumerate() {
        let children = || reading.children(at);
        let dialled = match element.name_in(reading.text) {
            "Number" => true,
            "Dial" => children().next().is_none(),
            _ => false,
        };
        let text = reading.words_in(element);
        if dialled && !text.is_empty() && !is_number(&text) {
            let start = element.texts.first().map_or(element.span.start, |span| span.start);
            found.push(Found::at(start, words::first_line(&text)));
        }
        // To SIP and to an app, any name may be shown.
        let plain = || {
            children().all(|child| matches!(child.name_in(reading.text), "Number" | "Conference"))
        };
        match element.name_in(reading.text) {
            "Dial" if plain() => found.extend(refused(reading, element, "callerId", is_shown)),
            "Message" | "Sms" => {
                found.extend(refused(reading, element, "to", is_addressed));
                found.extend(refused(reading, element, "from", is_sender));
            }
            _ => {}
        }
    }
    found
}

/// An attribute that a check does not let pass.
fn refused(
    reading: &Reading<'_>,
    element: &Element,
    name: &str,
    fits: fn(&str) -> bool,
) -> Option<Found> {
    let span = element.attribute(reading.text, name)?;
    let value = reading.text.get(span.clone())?;
    // A reference may stand for anything.
    let unfit = !value.contains('&') && !value.trim().is_empty() && !fits(value.trim());
    unfit.then(|| Found::at(span.start, format!("{name}=\"{}\"", words::first_line(value))))
}

/// Digits with the marks that people put between them.
pub(in crate::guard) fn is_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let rest = |c: char| c.is_ascii_digit() || c.is_whitespace() || "+-()./*#".contains(c);
    (1..=limits::MAX_NUMBER_DIGITS).contains(&digits) && text.chars().all(rest)
}

/// A number, or the address of a channel.
pub(in crate::guard) fn is_addressed(text: &str) -> bool {
    text.contains(':') || is_number(text)
}

/// What may be shown as a caller.
pub(in crate::guard) fn is_shown(text: &str) -> bool {
    is_addressed(text) || ["anonymous", "restricted"].iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A number, a channel's address, a service, or an alphanumeric sender.
pub(in crate::guard) fn is_sender(text: &str) -> bool {
    let named = text.chars().all(|c| c.is_ascii_alphanumeric() || " -_+&".contains(c));
    is_addressed(text) || (named && (text.len() <= 11 || text.starts_with("MG")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_other_words() {
        for text in ["+15550100003", "(555) 010-0003", "555.010.0003", "911", "+972 5 550 1000"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["None", "+1555010000312345", "{number}", "sip:a@example.com", "+"] {
            assert!(!is_number(text), "{text}");
        }
        assert!(is_shown("client:jenny") && is_shown("Anonymous") && !is_shown("None"));
        assert!(is_sender("Example Ltd") && !is_sender("A sender that is too long"));
    }
}
