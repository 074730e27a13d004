//! `client-error`: the backend answered with a client error (4xx).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "client-error",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend answered with a client error (4xx)",
    remedy: "see the body: the backend could not read the request",
    action: "fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 404 | 405 | 410 | 419 | 429)
}
