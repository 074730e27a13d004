//! `verb-forbidden-in-wait`: a verb that a conference's waitUrl forbids.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::guard::twiml::grammar;
use crate::twilio::Slot;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "verb-forbidden-in-wait",
    stage: Stage::Grammar,
    level: Level::Fault,
    codes: &[13238],
    evidence: Evidence::Documented,
    explain: "a verb that a conference's waitUrl forbids",
    remedy: "use Say, Play, Pause, Redirect only",
    action: "fallback",
    check: Check::Grammar(find),
};

/// Verbs that it allows.
pub(in crate::guard) const ALLOWED: [&str; 4] = ["Pause", "Play", "Redirect", "Say"];

fn find(reading: &Reading<'_>) -> Vec<Found> {
    if reading.slot != Slot::ConferenceWait {
        return Vec::new();
    }
    // Unknown verbs are a warning at Twilio, not this error.
    reading.verbs().filter(|(name, _)| grammar::rule(name).is_some() && !ALLOWED.contains(name)).map(|(name, at)| Found::at(at, format!("`{name}`"))).collect()
}
