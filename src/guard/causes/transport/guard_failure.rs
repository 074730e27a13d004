//! `guard-failure`: twiml-guard itself failed on this answer; the backend is not to blame.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "guard-failure",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "twiml-guard itself failed on this answer; the backend is not to blame",
    remedy: "report this as a bug of twiml-guard, with the record",
    action: "fallback",
    check: Check::Failure(find),
};

fn find(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Internal { detail } => Some(detail.clone()),
        _ => None,
    }
}
