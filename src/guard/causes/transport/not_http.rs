//! `not-http`: what the backend sent is not HTTP.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;
use crate::guard::words::first_bytes;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "not-http",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11206, 11200],
    evidence: Evidence::Documented,
    explain: "what the backend sent is not HTTP",
    remedy: "something prints to the socket before the status line, or another protocol (TLS?) listens there",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::NotHttp { received, detail } => Some(if received.is_empty() {
            detail.clone()
        } else {
            format!("{detail}; first bytes: {}", first_bytes(received))
        }),
        _ => None,
    }
}
