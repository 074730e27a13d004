//! `coding-unasked`: the body came compressed although the guard asked for identity.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-unasked",
    stage: Stage::Coding,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the body came compressed although the guard asked for identity",
    remedy: "turn compression off for this route",
    action: "decoded",
    check: Check::Elsewhere,
};
