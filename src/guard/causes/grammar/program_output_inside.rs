//! `program-output-inside`: a program's message or an unfilled template is spoken or texted.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::finding::Grade;
use crate::guard::notices;
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;
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
    action: "a notice of PHP between verbs dropped; otherwise left as it is",
    check: Check::Grammar(find),
};

/// Elements whose text people hear or read.
pub(in crate::guard) const HEARD: [&str; 4] = ["Body", "Message", "Say", "Sms"];

/// Elements whose text is dialled or called: a gap of a template in them has a cause of its own.
pub(in crate::guard) const CALLED: [&str; 4] = ["Dial", "Number", "Play", "Redirect"];

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = reading.document.elements.iter();
    let texts = elements
        .filter(|element| HEARD.contains(&element.name_in(reading.text)))
        .flat_map(|element| &element.texts);
    let called = reading.document.elements.iter();
    let called = called
        .filter(|element| CALLED.contains(&element.name_in(reading.text)))
        .flat_map(|element| &element.texts)
        .filter(|span| {
            reading.text.get((*span).clone()).is_some_and(|text| words::placeholder(text).is_none())
        });
    let smells = |text: &str| {
        let json = text.trim_start().starts_with('{') && text.contains("\":");
        words::smells_of_a_program(text).map(str::to_owned).or_else(|| json.then(|| words::first_line(text)))
    };
    let heard = texts
        .chain(called)
        .filter_map(|span| {
            let seen = smells(reading.text.get(span.clone())?)?;
            Some(Found::at(span.start, seen))
        });
    between_verbs(reading).into_iter().chain(heard).collect()
}

/// Notices of PHP where nothing is heard: directly in an element that holds verbs only.
fn between_verbs(reading: &Reading<'_>) -> Vec<Found> {
    let text = reading.text;
    let mut found: Vec<Found> = Vec::new();
    let marks = memchr::memmem::find_iter(text.as_bytes(), b" on line ").take(MAX_NOTICES);
    for mark in marks {
        let Some(start) = notices::start(text, mark) else { continue };
        let around = reading.document.elements.iter().rfind(|element| {
            element.span.start < start && start < element.span.end
        });
        let holds_verbs = around
            .and_then(|element| grammar::rule(element.name_in(text)))
            .is_some_and(|rule| !rule.text);
        let rest = text.get(start..).unwrap_or_default();
        let len = rest.len() - notices::behind(rest).map_or(rest.len(), str::len);
        let covered = found.iter().any(|found| found.offset == start);
        if holds_verbs && len > 0 && !covered {
            let evidence = words::first_line(rest);
            found.push(Found::at(start, evidence).mended(Grade::Inferred, start..start + len, String::new()));
        }
    }
    found
}

/// More notices than this are left.
const MAX_NOTICES: usize = 40;
