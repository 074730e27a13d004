//! `message-too-long`: more words in one `<Message>` than Twilio sends.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::said::said;
use crate::twilio::limits;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "message-too-long",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[14103],
    evidence: Evidence::Documented,
    explain: "more than 1600 characters in one `<Message>`",
    remedy: "spread the words over several `<Message>`, or send a link",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let limit = limits::MAX_MESSAGE_CHARS;
    let long = said(reading, "Message", "Media").into_iter().filter(|said| said.chars > limit);
    long.filter_map(|said| {
        let element = reading.document.elements.get(said.at)?;
        let evidence = format!("{} characters, {limit} allowed", said.chars);
        Some(Found::at(element.span.start, evidence))
    })
    .collect()
}
