//! `empty-body`: an empty body (or blanks only).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "empty-body",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[11200, 12100],
    evidence: Evidence::Reported,
    explain: "an empty body (or blanks only)",
    remedy: "return TwiML: what comes next for the caller (`<Say>`, `<Redirect>`), or `<Response/>` where the call may end",
    action: "by slot and CallStatus: `<Response/>` or fallback",
    check: Check::Elsewhere,
};
