//! `bracket-doubled`: a tag begins with two `<`.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "bracket-doubled",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "a tag begins with two `<`",
    remedy: "write one `<`",
    action: "one of them dropped",
    check: Check::Elsewhere,
};
