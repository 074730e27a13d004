//! `json-answer`: JSON instead of TwiML.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::{origins, words};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "json-answer",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12300, 12100],
    evidence: Evidence::Documented,
    explain: "JSON instead of TwiML",
    remedy: "return TwiML from this route; a serialiser or error handler makes JSON of it",
    action: "fallback",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    words::is_json(foreign).then(|| origins::prefixed(foreign, &words::first_line(foreign.text)))
}
