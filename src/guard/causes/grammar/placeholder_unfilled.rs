//! `placeholder-unfilled`: a template's gap in a URL or in a `<Parameter>`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::links;
use crate::guard::reading::{Found, Reading};
use crate::guard::words;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "placeholder-unfilled",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[11100, 11200, 31923],
    evidence: Evidence::Inferred,
    explain: "a gap of a template (`{call_sid}`, `%s`) was left unfilled in a URL or a `<Parameter>`",
    remedy: "fill the template before it is sent, and check what it is given",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let urls = reading.urls().filter(|(_, url)| {
        words::placeholder(url).is_some()
            // What a program prints for a value that is missing.
            || matches!(links::host(url), Some("undefined" | "null" | "None" | "nil"))
    });
    let parameters = reading.document.elements.iter().filter_map(|element| {
        let span = element.attribute(reading.text, "value")?;
        let value = reading.text.get(span.clone())?;
        (element.name_in(reading.text) == "Parameter" && words::placeholder(value).is_some())
            .then_some((span, value))
    });
    let mut found: Vec<Found> = urls
        .chain(parameters)
        .map(|(span, text)| Found::at(span.start, words::first_line(text)))
        .collect();
    found.sort_by_key(|found| found.offset);
    found
}
