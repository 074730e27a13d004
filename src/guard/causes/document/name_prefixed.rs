//! `name-prefixed`: names carry a prefix: one that nobody declared, or one on every verb.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "name-prefixed",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "names carry a prefix: one that nobody declared, or one on every verb",
    remedy: "leave the prefix out",
    action: "the prefix dropped; a prefixed attribute without a declaration dropped",
    check: Check::Elsewhere,
};
