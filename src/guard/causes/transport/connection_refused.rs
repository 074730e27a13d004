//! `connection-refused`: nobody listens at the backend's address.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "connection-refused",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11202, 11200],
    evidence: Evidence::Documented,
    explain: "nobody listens at the backend's address",
    remedy: "start the backend, or point `upstream` at the port it listens on",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Refused { address } => Some(format!("connection to {address} refused")),
        _ => None,
    }
}
