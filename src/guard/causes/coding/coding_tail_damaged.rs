//! `coding-tail-damaged`: compressed data is whole but damaged behind its end (trailer, garbage).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-tail-damaged",
    stage: Stage::Coding,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "compressed data is whole but damaged behind its end (trailer, garbage)",
    remedy: "let one layer compress, and only once",
    action: "decoded",
    check: Check::Elsewhere,
};
