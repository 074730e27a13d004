//! `attribute-quote-escaped`: the quotes of an attribute value are escaped.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-quote-escaped",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the quotes of an attribute value are escaped",
    remedy: "escape TwiML for what wraps it, and undo that before it is sent",
    action: "unescaped",
    check: Check::Elsewhere,
};
