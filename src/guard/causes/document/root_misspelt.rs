//! `root-misspelt`: the root is misspelt, or its first character is lost.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "root-misspelt",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the root is misspelt, or its first character is lost",
    remedy: "name the root `Response`",
    action: "spelt as TwiML knows it",
    check: Check::Elsewhere,
};
