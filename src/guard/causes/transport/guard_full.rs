//! `guard-full`: twiml-guard has no room for this request; the backend is not to blame.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "guard-full",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "twiml-guard has reached one of its own limits; there was no room for this request or its answer",
    remedy: "find what holds so much at once (a slow backend, a flood); else raise the limit that the record names",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Full { detail } => Some(detail.clone()),
        _ => None,
    }
}
