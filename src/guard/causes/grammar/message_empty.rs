//! `message-empty`: an empty `<Message>`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};

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
    let empty = |at: usize| elements.get(at).is_some_and(|e| e.texts.iter().all(|span| reading.text.get(span.clone()).unwrap_or_default().trim().is_empty())) && !elements.iter().any(|e| e.parent == Some(at));
    let named = elements.iter().enumerate().filter(|(_, e)| e.name_in(reading.text) == "Message");
    named.filter(|&(at, _)| empty(at)).map(|(_, e)| Found::at(e.span.start, "`Message` without text or media")).collect()
}
