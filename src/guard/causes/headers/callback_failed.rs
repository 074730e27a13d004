//! `callback-failed`: a status callback failed at the backend.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "callback-failed",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[15003],
    evidence: Evidence::Documented,
    explain: "a status callback failed at the backend",
    remedy: "see the backend's log at this moment, and whether it has this route; answer callbacks with 204",
    action: "204",
    check: Check::Elsewhere,
};
