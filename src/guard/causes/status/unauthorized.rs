//! `unauthorized`: the backend refused the request: not authorised (401, 403).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "unauthorized",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend refused the request: not authorised (401, 403)",
    remedy: "exempt this route from login and IP checks; a signature check must rebuild the public https URL with its query",
    action: "fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403)
}
