//! `body-truncated`: the connection ended before the announced end of the body.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::{Answer, BodyEnd};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "body-truncated",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11200, 11206],
    evidence: Evidence::Documented,
    explain: "the connection ended before the announced end of the body",
    remedy: "a worker died while it wrote, or Content-Length is wrong; let the framework compute it",
    action: "fallback; the document alone when its whole root had arrived",
    check: Check::Body(find),
};

fn find(answer: &Answer) -> Option<String> {
    match &answer.end {
        BodyEnd::Truncated { detail } => Some(format!("{} bytes arrived: {detail}", answer.body.len())),
        _ => None,
    }
}
