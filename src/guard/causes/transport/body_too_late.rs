//! `body-too-late`: the body was not complete within the budget.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::{Answer, BodyEnd};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "body-too-late",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11200, 11205],
    evidence: Evidence::Documented,
    explain: "the body was not complete within the budget",
    remedy: "send the document in one piece, at once",
    action: "fallback; the document alone when its whole root had arrived",
    check: Check::Body(find),
};

fn find(answer: &Answer) -> Option<String> {
    match &answer.end {
        BodyEnd::TooLate => Some(format!("{} bytes arrived within the budget", answer.body.len())),
        _ => None,
    }
}
