//! `messages-too-many`: more replies in one answer than Twilio sends.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::twilio::{Slot, limits};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "messages-too-many",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[14109],
    evidence: Evidence::Documented,
    explain: "more than 10 messages in reply to one",
    remedy: "say it in fewer messages, or send the rest with the REST API",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    if reading.slot != Slot::Messaging {
        return Vec::new();
    }
    let replies = reading.verbs().filter(|(name, _)| matches!(*name, "Message" | "Sms"));
    let surplus = replies.skip(limits::MAX_REPLIES).take(1);
    surplus.map(|(_, at)| Found::at(at, format!("more than {}", limits::MAX_REPLIES))).collect()
}
