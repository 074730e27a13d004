//! `end-tag-needless`: an element that closed itself is closed again.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "end-tag-needless",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "an element that closed itself is closed again",
    remedy: "close it once",
    action: "end tag removed",
    check: Check::Elsewhere,
};
