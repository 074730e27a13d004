//! `redirect-refused`: a redirect that can't be followed inside: another origin, a loop, no Location, too many, or turned off.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "redirect-refused",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200, 11216, 11215],
    evidence: Evidence::Documented,
    explain: "a redirect that can't be followed inside: another origin, a loop, no Location, too many, or turned off",
    remedy: "answer with TwiML, or put the final URL at Twilio",
    action: "fallback",
    check: Check::Elsewhere,
};
