//! `dial-in-whisper`: `<Dial>` in a whisper, which is itself part of a Dial.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::reading::{Found, Reading};
use crate::twilio::Slot;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "dial-in-whisper",
    stage: Stage::Grammar,
    level: Level::Fault,
    codes: &[13201],
    evidence: Evidence::Documented,
    explain: "`<Dial>` in a whisper, which is itself part of a Dial",
    remedy: "speak, play or gather only",
    action: "fallback",
    check: Check::Grammar(find),
};

fn find(reading: &Reading<'_>) -> Vec<Found> {
    if reading.slot != Slot::Whisper {
        return Vec::new();
    }
    reading.verbs().filter(|(name, _)| *name == "Dial").map(|(name, at)| Found::at(at, format!("`{name}`"))).collect()
}
