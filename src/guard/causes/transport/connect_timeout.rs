//! `connect-timeout`: the backend's address did not accept a connection in time.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "connect-timeout",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11201, 11200],
    evidence: Evidence::Documented,
    explain: "the backend's address did not accept a connection in time",
    remedy: "check host, port and firewall of `upstream`; a full accept queue means too few workers",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::ConnectTimeout => Some("no TCP connection in time".to_owned()),
        _ => None,
    }
}
