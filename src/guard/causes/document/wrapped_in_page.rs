//! `wrapped-in-page`: the document stands alone inside an HTML page or a service's envelope.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrapped-in-page",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the document stands alone inside an HTML page or a service's envelope",
    remedy: "return the document itself",
    action: "document alone",
    check: Check::Elsewhere,
};
