//! `not-well-formed`: hand-made XML that is not well-formed and has no one sensible reading.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "not-well-formed",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Documented,
    explain: "hand-made XML that is not well-formed and has no one sensible reading",
    remedy: "build TwiML with Twilio's SDK, never by hand",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    (foreign.roots == 1 && foreign.root.is_none()).then(|| foreign.fault.to_string())
}
