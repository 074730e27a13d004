//! `coding-bomb`: the body decodes to more than the guard allows.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-bomb",
    stage: Stage::Coding,
    level: Level::Fault,
    codes: &[11750],
    evidence: Evidence::Inferred,
    explain: "the body decodes to more than the guard allows",
    remedy: "TwiML has at most 64 kB; see what the route compresses",
    action: "fallback",
    check: Check::Elsewhere,
};
