//! `audio-unsuited`: audio where Twilio takes none.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "audio-unsuited",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12300],
    evidence: Evidence::Inferred,
    explain: "audio where Twilio takes none",
    remedy: "return TwiML; sound is for voice and wait",
    action: "fallback",
    check: Check::Elsewhere,
};
