//! `name-unfit`: a queue's or conference's name that is empty or too long.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::twilio::limits;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "name-unfit",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[14204, 14205, 14212, 14213, 13237, 13120],
    evidence: Evidence::Documented,
    explain: "the name of a queue or a conference is empty, or longer than Twilio takes",
    remedy: "check what the name is made of; a queue's has at most 64 characters",
    action: "left as it is",
    check: Check::Grammar(find),
};

/// Element, most characters of its text, whether there has to be one, attribute that replaces it.
pub(in crate::guard) const NAMES: [(&str, usize, bool, &str); 4] = [
    ("BillingReferenceTag", limits::MAX_BILLING_TAG_CHARS, false, ""),
    ("Conference", usize::MAX, true, ""),
    ("Enqueue", limits::MAX_QUEUE_NAME_CHARS, true, "workflowSid"),
    ("Queue", limits::MAX_QUEUE_NAME_CHARS, true, "reservationSid"),
];

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, most, needed, instead) in NAMES {
        for (element, words) in reading.elements_with_words(name) {
            let replaced = element.attribute(reading.text, instead).is_some();
            if let Some(why) = unfit(&words, most, needed && !replaced) {
                found.push(Found::at(element.span.start, format!("`{name}`{why}")));
            }
        }
    }
    found.sort_by_key(|found| found.offset);
    found
}

/// What is wrong with a name, said behind its element's.
pub(in crate::guard) fn unfit(words: &str, most: usize, needed: bool) -> Option<String> {
    if needed && words.is_empty() {
        return Some(" without a name".to_owned());
    }
    // As many bytes are as many characters at most.
    let chars = if words.len() > most { words.chars().count() } else { 0 };
    (chars > most).then(|| format!(": {chars} characters, {most} allowed"))
}
