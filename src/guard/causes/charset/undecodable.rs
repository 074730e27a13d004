//! `undecodable`: bytes that no stated encoding explains.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "undecodable",
    stage: Stage::Charset,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "bytes that no stated encoding explains",
    remedy: "encode as UTF-8 and say so",
    action: "fallback",
    check: Check::Elsewhere,
};
