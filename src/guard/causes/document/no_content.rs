//! `no-content`: 204: no content at all.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "no-content",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100, 12300],
    evidence: Evidence::Reported,
    explain: "204: no content at all",
    remedy: "return `<Response/>` instead of 204",
    action: "by slot and CallStatus: `<Response/>` or fallback",
    check: Check::Elsewhere,
};
