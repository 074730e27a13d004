//! `document-truncated`: the document is cut off.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::origins;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "document-truncated",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100, 11200],
    evidence: Evidence::Reported,
    explain: "the document is cut off",
    remedy: "see why the backend stopped writing: crash, timeout, wrong Content-Length",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    foreign.truncated.as_deref().map(|why| origins::prefixed(foreign, why))
}
