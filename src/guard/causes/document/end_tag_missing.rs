//! `end-tag-missing`: end tags are missing at the very end.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "end-tag-missing",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "end tags are missing at the very end",
    remedy: "close every element",
    action: "closed",
    check: Check::Elsewhere,
};
