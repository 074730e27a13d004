//! `attribute-quote-missing`: an attribute value without one of its quotes, or between two different ones.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-quote-missing",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "an attribute value without one of its quotes, or between two different ones",
    remedy: "quote attribute values on both sides, with the same quote",
    action: "quoted",
    check: Check::Elsewhere,
};
