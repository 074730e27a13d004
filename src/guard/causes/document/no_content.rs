//! `no-content`: 204: no content at all.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "no-content",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100, 12300],
    evidence: Evidence::Reported,
    explain: "204: no content at all",
    remedy: "return TwiML instead of 204: what comes next for the caller (`<Say>`, `<Redirect>`), or `<Response/>` where the call may end",
    action: "by slot and CallStatus: `<Response/>` or fallback",
    check: Check::Elsewhere,
};
