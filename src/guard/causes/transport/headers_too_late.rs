//! `headers-too-late`: the backend did not begin to answer within the budget.

use std::time::Duration;

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
    remedy: "answer first and work afterwards; Twilio gives up after 15 s. Where nobody is answered, the backend hangs: restart it",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::HeadersTooLate => Some("no status line within the budget".to_owned()),
        Failure::CutShort { backend, silence, waited } => {
            Some(cut_short(backend, *silence, *waited))
        }
        _ => None,
    }
}

/// What is said of a wait that an open breaker shortened.
pub(in crate::guard::causes) fn cut_short(
    backend: &str,
    silence: Duration,
    waited: Duration,
) -> String {
    format!(
        "no answer to anybody from {backend} for {} s; waited {:.1} s, shortened by the breaker",
        silence.as_secs(),
        waited.as_secs_f64()
    )
}
