//! `message-empty`: an empty `<Message>`.

use std::collections::HashSet;

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::said::said;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "message-empty",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[14103],
    evidence: Evidence::Documented,
    explain: "an empty `<Message>`",
    remedy: "leave the element out: `<Response/>` sends nothing",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let elements = &reading.document.elements;
    // Anything but `Body` may be what is sent.
    let filled: HashSet<usize> = elements
        .iter()
        .filter(|element| element.name_in(reading.text) != "Body")
        .filter_map(|element| element.parent)
        .collect();
    let empty = said(reading, "Message", "").into_iter();
    let empty = empty.filter(|said| said.chars == 0 && !filled.contains(&said.at));
    empty
        .filter_map(|said| elements.get(said.at))
        .map(|element| Found::at(element.span.start, "`Message` without text or media"))
        .collect()
}
