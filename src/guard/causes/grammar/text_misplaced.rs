//! `text-misplaced`: words directly in an element that holds none, such as `<Response>`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;
use crate::guard::words;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "text-misplaced",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200],
    evidence: Evidence::Inferred,
    explain: "words in an element that holds none: nobody hears or reads them",
    remedy: "put them into `<Say>` or `<Message>`, or leave them out",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for element in &reading.document.elements {
        let name = element.name_in(reading.text);
        if grammar::rule(name).is_none_or(|rule| rule.text) {
            continue;
        }
        for span in &element.texts {
            let text = reading.text.get(span.clone()).unwrap_or_default();
            let blank = text.len() - text.trim_start().len();
            if blank < text.len() {
                let evidence = format!("`{}` in `{name}`", words::first_line(text));
                found.push(Found::at(span.start + blank, evidence));
            }
        }
    }
    found
}
