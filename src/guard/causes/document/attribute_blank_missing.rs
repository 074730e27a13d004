//! `attribute-blank-missing`: no blank between two attributes.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-blank-missing",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "no blank between two attributes",
    remedy: "separate attributes by blanks",
    action: "blank inserted",
    check: Check::Elsewhere,
};
