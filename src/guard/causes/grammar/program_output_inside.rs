//! `program-output-inside`: a program's message or an unfilled template is spoken or texted.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::words;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "program-output-inside",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200],
    evidence: Evidence::Reported,
    explain: "a program's message, JSON or an unfilled template stands in what is spoken or texted",
    remedy: "turn off the display of errors, and check what the template is given",
    action: "left as it is",
    check: Check::Grammar(find),
};

/// Elements whose text people hear or read.
const HEARD: [&str; 4] = ["Body", "Message", "Say", "Sms"];

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = reading.document.elements.iter();
    let texts = elements
        .filter(|element| HEARD.contains(&element.name_in(reading.text)))
        .flat_map(|element| &element.texts);
    let smells = |text: &str| {
        let json = text.trim_start().starts_with('{') && text.contains("\":");
        words::smells_of_a_program(text).map(str::to_owned).or_else(|| json.then(|| words::first_line(text)))
    };
    texts
        .filter_map(|span| {
            let seen = smells(reading.text.get(span.clone())?)?;
            Some(Found::at(span.start, seen))
        })
        .collect()
}
