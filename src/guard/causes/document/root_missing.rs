//! `root-missing`: verbs without the root `<Response>` around them.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "root-missing",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12102, 12100],
    evidence: Evidence::Reported,
    explain: "verbs without the root `<Response>` around them",
    remedy: "put one `<Response>` around all verbs",
    action: "root added",
    check: Check::Elsewhere,
};
