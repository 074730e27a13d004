//! `doctype`: a DOCTYPE before the document.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "doctype",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "a DOCTYPE before the document",
    remedy: "emit no DOCTYPE",
    action: "removed",
    check: Check::Elsewhere,
};
