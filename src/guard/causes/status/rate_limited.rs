//! `rate-limited`: the backend limited the rate (429); Twilio does not wait and retry.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "rate-limited",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11217],
    evidence: Evidence::Documented,
    explain: "the backend limited the rate (429); Twilio does not wait and retry",
    remedy: "exempt Twilio's webhooks from the rate limit",
    action: "fallback",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    status.as_u16() == 429
}
