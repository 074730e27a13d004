//! `wrapped-in-literal`: the document is printed as a string literal of a program (`b'…'`).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrapped-in-literal",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the document is printed as a string literal of a program (`b'…'`)",
    remedy: "return the text, not its repr",
    action: "document alone",
    check: Check::Elsewhere,
};
