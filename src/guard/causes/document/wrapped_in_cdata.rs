//! `wrapped-in-cdata`: the document stands in a CDATA section.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrapped-in-cdata",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the document stands in a CDATA section",
    remedy: "return the document itself",
    action: "document alone",
    check: Check::Elsewhere,
};
