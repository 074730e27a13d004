//! `html-entity`: an HTML entity that XML does not know.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "html-entity",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "an HTML entity that XML does not know",
    remedy: "write the character itself, or its number",
    action: "the character itself",
    check: Check::Elsewhere,
};
