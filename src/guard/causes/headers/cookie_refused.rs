//! `cookie-refused`: a cookie that Twilio refuses: no name, or a control character.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "cookie-refused",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[11206],
    evidence: Evidence::Documented,
    explain: "a cookie that Twilio refuses: no name, or a control character",
    remedy: "set cookies through the framework",
    action: "that cookie dropped, the others kept",
    check: Check::Elsewhere,
};
