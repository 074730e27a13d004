//! `redirect-followed`: the backend redirected to itself; Twilio would have followed with GET and lost the form (or refused a 308).

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "redirect-followed",
    stage: Stage::Status,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the backend redirected to itself; Twilio would have followed with GET and lost the form (or refused a 308)",
    remedy: "put the final URL at Twilio, with https, host and trailing slash exactly as the app wants it",
    action: "followed inside",
    check: Check::Elsewhere,
};
