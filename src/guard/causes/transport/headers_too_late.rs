//! `headers-too-late`: the backend did not begin to answer within the budget.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "headers-too-late",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11200, 11205],
    evidence: Evidence::Documented,
    explain: "the backend did not begin to answer within the budget",
    remedy: "answer first and work afterwards; Twilio gives up after 15 s",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::HeadersTooLate => Some("no status line within the budget".to_owned()),
        _ => None,
    }
}
