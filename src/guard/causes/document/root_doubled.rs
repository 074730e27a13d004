//! `root-doubled`: the root stands within itself once more.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "root-doubled",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "the root stands within itself once more",
    remedy: "build one `<Response>`, and put the verbs into it",
    action: "the outer root dropped",
    check: Check::Elsewhere,
};
