//! `program-output`: output of a program: traceback, exception, template.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::{origins, words};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "program-output",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "output of a program: traceback, exception, template",
    remedy: "see the backend's log; let the error handler of this route return TwiML",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    words::smells_of_a_program(foreign.text).or_else(|| words::packed(foreign.text)).map(|line| origins::prefixed(foreign, line))
}
