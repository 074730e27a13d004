//! `byte-order-mark`: a byte order mark stands before the document.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "byte-order-mark",
    stage: Stage::Charset,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "a byte order mark stands before the document",
    remedy: "save the source files without BOM",
    action: "document alone",
    check: Check::Elsewhere,
};
