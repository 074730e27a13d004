//! `request-unfit`: the request is too large or came too slowly; the backend was not asked.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "request-unfit",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "the request is too large or came too slowly; the backend was not asked",
    remedy: "raise `max_request_body` if such requests are genuine; Twilio's are far smaller",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::RequestUnfit { detail } => Some(detail.clone()),
        _ => None,
    }
}
