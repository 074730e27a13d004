//! `connection-reset`: the backend reset the connection instead of answering.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "connection-reset",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the backend reset the connection instead of answering",
    remedy: "look for a crashed or killed worker in the backend's log at this moment",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Reset => Some("connection reset before a status line".to_owned()),
        _ => None,
    }
}
