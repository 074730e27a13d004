//! `end-tags-crossed`: two end tags in the wrong order.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "end-tags-crossed",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "two end tags in the wrong order",
    remedy: "close the inner element first",
    action: "swapped",
    check: Check::Elsewhere,
};
