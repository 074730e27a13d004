//! `backend-unreachable`: the backend's name or network can't be reached.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "backend-unreachable",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11210, 11200],
    evidence: Evidence::Documented,
    explain: "the backend's name or network can't be reached",
    remedy: "check the host name in `upstream` and the network to it",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Unreachable { address, detail } => Some(format!("{address}: {detail}")),
        _ => None,
    }
}
