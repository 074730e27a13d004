//! `control-character`: a control character that XML does not allow.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "control-character",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "a control character that XML does not allow",
    remedy: "strip control characters from what is spoken",
    action: "removed",
    check: Check::Elsewhere,
};
