//! `nouns-mixed`: a `<Conference>` beside other nouns in one `<Dial>`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::{Element, grammar};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "nouns-mixed",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13000],
    evidence: Evidence::Documented,
    explain: "a `<Conference>` beside other nouns in one `<Dial>`",
    remedy: "dial the conference alone; add others to it with the REST API",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = reading.document.elements.iter().enumerate();
    let dials = elements.filter(|(_, element)| element.name_in(reading.text) == "Dial");
    let mixed = dials.filter_map(|(at, _)| {
        let is_conference = |noun: &&Element| noun.name_in(reading.text) == "Conference";
        let conference = reading.children(at).find(is_conference)?;
        let other = reading.children(at).find(|noun| {
            !is_conference(noun) && grammar::allows("Dial", noun.name_in(reading.text))
        })?;
        let evidence = format!("`Conference` beside `{}`", other.name_in(reading.text));
        Some(Found::at(conference.span.start, evidence))
    });
    mixed.collect()
}
