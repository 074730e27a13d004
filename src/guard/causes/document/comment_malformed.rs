//! `comment-malformed`: `--` inside a comment.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "comment-malformed",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "`--` inside a comment",
    remedy: "emit no comments",
    action: "comment removed",
    check: Check::Elsewhere,
};
