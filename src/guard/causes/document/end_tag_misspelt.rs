//! `end-tag-misspelt`: an end tag is misspelt.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "end-tag-misspelt",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "an end tag is misspelt",
    remedy: "close each element by its own name",
    action: "spelt as the start tag",
    check: Check::Elsewhere,
};
