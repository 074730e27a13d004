//! `twiml-too-large`: TwiML larger than 64 kB.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "twiml-too-large",
    stage: Stage::Grammar,
    level: Level::Fault,
    codes: &[11750],
    evidence: Evidence::Documented,
    explain: "TwiML larger than 64 kB",
    remedy: "send less; play a file instead of speaking pages",
    action: "comments and indentation dropped; if that is not enough, fallback",
    check: Check::Elsewhere,
};
