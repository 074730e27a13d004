//! `redirect-target-unauthorized`: the redirect's target refused the signature, which was made for the first URL.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "redirect-target-unauthorized",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Reported,
    explain: "the redirect's target refused the signature, which was made for the first URL",
    remedy: "put the final URL at Twilio",
    action: "a TwiML Redirect, so that Twilio signs the target itself; else fallback",
    check: Check::Elsewhere,
};
