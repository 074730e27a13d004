//! `say-too-long`: more words in one `<Say>` than Twilio speaks.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::said::said;
use crate::twilio::limits;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "say-too-long",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[13521],
    evidence: Evidence::Documented,
    explain: "more than 4096 characters in one `<Say>`, or 3000 for a Polly voice",
    remedy: "spread the words over several `<Say>`",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for said in said(reading, "Say", "") {
        let Some(element) = reading.document.elements.get(said.at) else { continue };
        let voice = element.attribute(reading.text, "voice");
        let voice = voice.and_then(|span| reading.text.get(span)).unwrap_or_default();
        let limit = if voice.starts_with("Polly.") {
            limits::MAX_POLLY_CHARS
        } else if voice.contains('.') {
            // Of the other providers' voices no limit is documented.
            continue;
        } else {
            limits::MAX_SAY_CHARS
        };
        if said.chars > limit {
            let evidence = format!("{} characters, {limit} allowed", said.chars);
            found.push(Found::at(element.span.start, evidence));
        }
    }
    found
}
