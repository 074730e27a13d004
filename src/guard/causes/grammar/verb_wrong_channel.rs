//! `verb-wrong-channel`: a verb of the other channel: voice verbs in a message, message verbs in a call.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar::{self, Family};
use crate::twilio::Slot;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "verb-wrong-channel",
    stage: Stage::Grammar,
    level: Level::Warning,
    codes: &[12200, 14110],
    evidence: Evidence::Documented,
    explain: "a verb of the other channel: voice verbs in a message, message verbs in a call",
    remedy: "answer voice URLs with voice verbs, messaging URLs with Message",
    action: "left as it is",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    let foreign = if reading.slot == Slot::Messaging { Family::Voice } else { Family::Messaging };
    reading.verbs().filter(|(name, _)| grammar::rule(name).is_some_and(|rule| rule.family == foreign)).map(|(name, at)| Found::at(at, format!("`{name}`"))).collect()
}
