//! `end-tag-foreign`: an end tag of an element that was never opened.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "end-tag-foreign",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "an end tag of an element that was never opened",
    remedy: "remove it",
    action: "removed",
    check: Check::Elsewhere,
};
