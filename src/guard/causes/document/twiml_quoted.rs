//! `twiml-quoted`: the answer is a page or text that merely quotes TwiML.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::origins;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "twiml-quoted",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "the answer is a page or text that merely quotes TwiML",
    remedy: "return the TwiML itself, nothing around it",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    foreign.quoted.as_deref().map(|why| origins::prefixed(foreign, why))
}
