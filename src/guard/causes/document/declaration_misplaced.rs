//! `declaration-misplaced`: an XML declaration stands inside the document.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "declaration-misplaced",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "an XML declaration stands inside the document",
    remedy: "print the declaration once, first",
    action: "removed",
    check: Check::Elsewhere,
};
