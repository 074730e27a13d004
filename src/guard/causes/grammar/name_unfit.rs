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
const NAMES: [(&str, usize, bool, &str); 4] = [
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
            let chars = words.chars().count();
            let at = element.span.start;
            if needed && !replaced && words.is_empty() {
                found.push(Found::at(at, format!("`{name}` without a name")));
            } else if chars > most {
                found.push(Found::at(at, format!("`{name}`: {chars} characters, {most} allowed")));
            }
        }
    }
    found.sort_by_key(|found| found.offset);
    found
}
