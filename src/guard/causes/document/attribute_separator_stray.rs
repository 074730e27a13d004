//! `attribute-separator-stray`: a comma, semicolon, colon or second `=` between or in attributes.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-separator-stray",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "a comma, semicolon, colon or second `=` between or in attributes",
    remedy: "separate attributes by blanks and write `=` once",
    action: "removed",
    check: Check::Elsewhere,
};
