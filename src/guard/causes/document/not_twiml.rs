//! `not-twiml`: neither TwiML nor anything else that Twilio takes.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::{origins, words};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "not-twiml",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100, 12300],
    evidence: Evidence::Documented,
    explain: "neither TwiML nor anything else that Twilio takes",
    remedy: "return TwiML from this route",
    action: "fallback",
    check: Check::Foreign(find),
};

// The last of the catalogue to be asked: it fits whatever no other cause has named.
#[allow(clippy::unnecessary_wraps)]
fn find(foreign: &Foreign<'_>) -> Option<String> {
    Some(origins::prefixed(foreign, &words::first_line(foreign.text)))
}
