//! `declaration-untrue`: the XML declaration names an encoding or version that the document does not have.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "declaration-untrue",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the XML declaration names an encoding or version that the document does not have",
    remedy: "declare version 1.0 and UTF-8",
    action: "declaration corrected",
    check: Check::Elsewhere,
};
