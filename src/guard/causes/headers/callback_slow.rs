//! `callback-slow`: a status callback was acknowledged before the backend answered it.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "callback-slow",
    stage: Stage::Headers,
    level: Level::Warning,
    codes: &[15003],
    evidence: Evidence::Documented,
    explain: "the backend took long to answer a status callback; Twilio was answered in its place",
    remedy: "answer callbacks first and work afterwards; see whether media streams hold all of the app's workers",
    action: "204",
    check: Check::Elsewhere,
};
