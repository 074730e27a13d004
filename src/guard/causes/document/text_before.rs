//! `text-before`: something stands before the document (text, blanks before a declaration, invisible characters).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "text-before",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "something stands before the document (text, blanks before a declaration, invisible characters)",
    remedy: "find what prints it: a debug print, a middleware, a blank line before `<?php` or `<?xml`",
    action: "document alone",
    check: Check::Elsewhere,
};
