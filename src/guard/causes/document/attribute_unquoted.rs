//! `attribute-unquoted`: an attribute value without quotes.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-unquoted",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "an attribute value without quotes",
    remedy: "quote attribute values",
    action: "quoted",
    check: Check::Elsewhere,
};
