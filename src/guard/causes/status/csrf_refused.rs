//! `csrf-refused`: the backend refused the request: page expired (419).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "csrf-refused",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend refused the request: page expired (419)",
    remedy: "exempt this route from the CSRF check",
    action: "fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    status.as_u16() == 419
}
