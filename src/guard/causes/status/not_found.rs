//! `not-found`: the backend has no such route (404, 410).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "not-found",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend has no such route (404, 410)",
    remedy: "register the path, or correct the URL at Twilio",
    action: "fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 410)
}
