//! `coding-corrupt`: the compressed body does not decode.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-corrupt",
    stage: Stage::Coding,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the compressed body does not decode",
    remedy: "turn compression off for this route",
    action: "fallback",
    check: Check::Elsewhere,
};
