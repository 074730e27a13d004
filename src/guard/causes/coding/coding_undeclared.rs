//! `coding-undeclared`: the body is compressed and no Content-Encoding says so.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-undeclared",
    stage: Stage::Coding,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the body is compressed and no Content-Encoding says so",
    remedy: "send Content-Encoding, or turn compression off for this route",
    action: "decoded",
    check: Check::Elsewhere,
};
