//! `verb-unknown`: an element that TwiML does not know.

use crate::guard::causes::grammar::letter_case::canonical;
use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "verb-unknown",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200],
    evidence: Evidence::Documented,
    explain: "an element that TwiML does not know",
    remedy: "check spelling and case: verbs are case-sensitive",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = reading.document.elements.iter().enumerate().skip(1);
    elements
        .filter(|(at, _)| canonical(reading, *at).is_none())
        .map(|(_, element)| element)
        .map(|element| (element.name_in(reading.text), element.span.start))
        // SSML of a speech provider has a prefix; Twilio hands it on.
        .filter(|(name, _)| grammar::rule(name).is_none() && !name.contains(':'))
        .map(|(name, at)| Found::at(at, format!("`{name}`")))
        .collect()
}
