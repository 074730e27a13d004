//! `acknowledgement`: a bare acknowledgement (`OK`, `success`, …) instead of TwiML.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::foreign::Foreign;
use crate::guard::words;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "acknowledgement",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100, 12200],
    evidence: Evidence::Reported,
    explain: "a bare acknowledgement (`OK`, `success`, …) instead of TwiML",
    remedy: "return `<Response/>` instead",
    action: "fallback on voice, `<Response/>` on messaging",
    check: Check::Foreign(find),
};

fn find(foreign: &Foreign<'_>) -> Option<String> {
    words::is_acknowledgement(foreign.text, foreign.slot).then(|| foreign.text.trim().to_owned())
}
