//! `wrapped-in-json`: the document stands in a JSON string or in a field of a JSON object.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrapped-in-json",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12300, 12100],
    evidence: Evidence::Reported,
    explain: "the document stands in a JSON string or in a field of a JSON object",
    remedy: "return the document itself, not through a JSON serialiser",
    action: "document alone",
    check: Check::Elsewhere,
};
