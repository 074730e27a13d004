//! `answer-slow`: the answer took long; Twilio gives up after 15 s.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "answer-slow",
    stage: Stage::Headers,
    level: Level::Warning,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "the answer took long; Twilio gives up after 15 s",
    remedy: "answer first and work afterwards",
    action: "left as it is",
    check: Check::Elsewhere,
};
