//! `charset-not-utf8`: the document is not in UTF-8.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "charset-not-utf8",
    stage: Stage::Charset,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the document is not in UTF-8",
    remedy: "encode as UTF-8 and say so",
    action: "re-encoded as UTF-8",
    check: Check::Elsewhere,
};
