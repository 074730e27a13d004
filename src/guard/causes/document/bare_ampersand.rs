//! `bare-ampersand`: a bare `&` in text or in a URL.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "bare-ampersand",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "a bare `&` in text or in a URL",
    remedy: "write `&amp;`; build TwiML with Twilio's SDK",
    action: "escaped",
    check: Check::Elsewhere,
};
