//! `tag-blank-inside`: a blank inside a tag, before its name or its end.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "tag-blank-inside",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "a blank inside a tag, before its name or its end",
    remedy: "write no blank behind `<` or `</`",
    action: "removed",
    check: Check::Elsewhere,
};
