//! `closed-early`: the backend closed the connection before it had answered.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;
use crate::guard::words::first_bytes;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "closed-early",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the backend closed the connection before it had answered",
    remedy: "look for a crashed, restarted or timed-out worker in the backend's log at this moment",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::ClosedEarly { received } => Some(if received.is_empty() {
            "closed without a byte".to_owned()
        } else {
            format!("closed after {} bytes: {}", received.len(), first_bytes(received))
        }),
        _ => None,
    }
}
