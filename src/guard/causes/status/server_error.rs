//! `server-error`: the backend answered with a server error (5xx).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "server-error",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend answered with a server error (5xx)",
    remedy: "see the backend's log at this moment; let the error handler of this route return TwiML",
    action: "fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    status.as_u16() >= 500
}
