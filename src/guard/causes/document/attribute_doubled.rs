//! `attribute-doubled`: an attribute stands twice in one tag, with the same value.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-doubled",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "an attribute stands twice in one tag, with the same value",
    remedy: "write it once",
    action: "one of them removed",
    check: Check::Elsewhere,
};
