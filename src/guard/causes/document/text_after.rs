//! `text-after`: something stands after the document.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "text-after",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "something stands after the document",
    remedy: "find what prints it: a debug print, a middleware, an injected script",
    action: "document alone",
    check: Check::Elsewhere,
};
