//! `placeholder-unfilled`: a template's gap in a URL, a number or a `<Parameter>`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::{Element, values};
use crate::guard::{link, links, words};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "placeholder-unfilled",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[11100, 11200, 13223, 31923],
    evidence: Evidence::Inferred,
    explain: "a gap of a template (`{call_sid}`, `%s`) was left unfilled in a URL, a number or a `<Parameter>`",
    remedy: "fill the template before it is sent, and check what it is given",
    action: "left as it is",
    check: Check::Grammar(find),
};

/// Elements whose text is dialled or called.
pub(in crate::guard) const CALLED: [&str; 7] = ["Client", "Conference", "Dial", "Number", "Queue", "Sim", "Sip"];

/// What a program prints for a value that is missing.
pub(in crate::guard) const MISSING: [&str; 5] = ["undefined", "null", "None", "nil", "NaN"];

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let urls = link::links(reading).into_iter().filter_map(|link| {
        let missing = MISSING.contains(&links::host(link.written).unwrap_or(link.written));
        (missing || has_gap(link.written)).then_some((link.span.start, link.written))
    });
    let others = reading.document.elements.iter().flat_map(|element| others(reading, element));
    // Source of PHP that was not run.
    let root = reading.document.root().map_or(0, |root| root.span.start);
    let sources = ["<?php", "<?="].iter().filter_map(|mark| {
        let at = root + reading.text.get(root..)?.find(mark)?;
        Some((at, reading.text.get(at..)?))
    });
    let mut found: Vec<Found> =
        urls.chain(others).chain(sources).map(|(at, text)| Found::at(at, words::first_line(text))).collect();
    found.sort_by_key(|found| found.offset);
    found
}

/// Gaps of an element in anything but URLs and spoken words.
fn others<'a>(reading: &Reading<'a>, element: &Element) -> Vec<(usize, &'a str)> {
    let name = element.name_in(reading.text);
    let ruled = values::rules(name).map(|rule| rule.attribute);
    let attributes = ruled
        .chain((name == "Dial").then_some("callerId"))
        .filter_map(|attribute| element.attribute(reading.text, attribute));
    let texts = element.texts.iter().filter(|_| CALLED.contains(&name)).cloned();
    // What a `<Parameter>` holds is the program's own: `null` may be meant.
    let value = element.attribute(reading.text, "value").filter(|_| name == "Parameter");
    let values = attributes.chain(texts).map(|span| (span, true)).chain(value.map(|span| (span, false)));
    values
        .filter_map(|(span, looked_for)| {
            let text = reading.text.get(span.clone())?;
            let missing = looked_for && MISSING.contains(&text.trim());
            (missing || has_gap(text)).then_some((span.start, text))
        })
        .collect()
}

/// Whether a URL, a number or a value holds what a template or a program left there.
pub(in crate::guard) fn has_gap(text: &str) -> bool {
    words::placeholder(text).is_some()
        || text.contains("[object Object]")
        || text.contains("&lt;%")
}
