//! `say-empty`: a `<Say>` without a word.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::said::said;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "say-empty",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13520],
    evidence: Evidence::Documented,
    explain: "a `<Say>` without a word: the caller hears nothing",
    remedy: "check what the text is made of; leave the element out, or use `<Pause>`",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    // SSML may speak without words of its own (`<sub>`), or be there for its pause.
    let empty = said(reading, "Say", "").into_iter();
    let empty = empty.filter(|said| said.chars == 0 && !said.has_elements);
    empty
        .filter_map(|said| reading.document.elements.get(said.at))
        .map(|element| Found::at(element.span.start, "`Say` without text"))
        .collect()
}
