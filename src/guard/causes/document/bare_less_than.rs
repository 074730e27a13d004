//! `bare-less-than`: an unescaped `<` in text or in a value.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "bare-less-than",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "an unescaped `<` in text or in a value",
    remedy: "write `&lt;`; build TwiML with Twilio's SDK",
    action: "escaped",
    check: Check::Elsewhere,
};
