//! `coding-identity`: Content-Encoding says `identity`, which is no coding.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "coding-identity",
    stage: Stage::Coding,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "Content-Encoding says `identity`, which is no coding",
    remedy: "drop the header",
    action: "header dropped",
    check: Check::Elsewhere,
};
