//! `wrong-method`: the route takes the other method.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "wrong-method",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the route takes the other method",
    remedy: "let the route accept POST, or set the number's method at Twilio",
    action: "asked once more with the other method",
    check: Check::Elsewhere,
};
