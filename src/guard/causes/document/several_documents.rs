//! `several-documents`: more than one TwiML document in one answer.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "several-documents",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "more than one TwiML document in one answer",
    remedy: "find what prints the second one",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    (foreign.roots > 1).then(|| format!("{} `<Response` roots", foreign.roots))
}
