//! `prose`: prose in text/plain: Twilio speaks it (voice) or texts it (messaging).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "prose",
    stage: Stage::Document,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Documented,
    explain: "prose in text/plain: Twilio speaks it (voice) or texts it (messaging)",
    remedy: "return TwiML, so that no error text is ever spoken",
    action: "left as it is (or fallback, by `plain_text`)",
    check: Check::Elsewhere,
};
