//! `coding-untrue`: Content-Encoding names a coding that the body does not have.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-untrue",
    stage: Stage::Coding,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "Content-Encoding names a coding that the body does not have",
    remedy: "drop the header, or compress",
    action: "header dropped",
    check: Check::Elsewhere,
};
