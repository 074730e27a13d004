//! `method-refused`: the backend refused the method (405).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "method-refused",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend refused the method (405)",
    remedy: "let the route accept POST, or set the number's method at Twilio",
    action: "tried once with the other method; else fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    status.as_u16() == 405
}
