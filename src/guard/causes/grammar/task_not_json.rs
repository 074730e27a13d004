//! `task-not-json`: a `<Task>` whose attributes are no JSON.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::words;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "task-not-json",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[14221, 14231],
    evidence: Evidence::Documented,
    explain: "a `<Task>` whose attributes are no JSON object",
    remedy: "write them with a JSON library: double quotes around names and words",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let tasks = reading.words_of("Task").filter(|(_, words)| is_unfit(words));
    tasks.map(|(at, words)| Found::at(at, words::first_line(&words))).collect()
}

/// Whether the words in a task are no JSON object; none at all are fine.
pub(in crate::guard) fn is_unfit(words: &str) -> bool {
    let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(words);
    !words.is_empty() && object.is_err()
}
