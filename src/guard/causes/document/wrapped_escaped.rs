//! `wrapped-escaped`: the document is HTML-escaped as a whole.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrapped-escaped",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "the document is HTML-escaped as a whole",
    remedy: "print the document raw (a template engine escapes it)",
    action: "document alone",
    check: Check::Elsewhere,
};
