//! `wrapped-encoded`: the document is URL-encoded or base64 as a whole.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrapped-encoded",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the document is URL-encoded or base64 as a whole",
    remedy: "return the document itself",
    action: "document alone",
    check: Check::Elsewhere,
};
