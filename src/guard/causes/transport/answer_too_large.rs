//! `answer-too-large`: the answer is larger than the guard reads.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::{Answer, BodyEnd};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "answer-too-large",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11750],
    evidence: Evidence::Documented,
    explain: "the answer is larger than the guard reads",
    remedy: "TwiML has at most 64 kB; a larger answer is debug output or the wrong file",
    action: "fallback; the document alone when its whole root had arrived",
    check: Check::Body(find),
};

fn find(answer: &Answer) -> Option<String> {
    match &answer.end {
        BodyEnd::TooLarge { limit } => Some(format!("more than {limit} bytes")),
        _ => None,
    }
}
