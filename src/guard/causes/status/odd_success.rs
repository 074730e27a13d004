//! `odd-success`: a success status other than 200 over good TwiML.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use http::StatusCode;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "odd-success",
    stage: Stage::Status,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "a success status other than 200 over good TwiML",
    remedy: "answer with 200",
    action: "status 200, same document",
    check: Check::Status(find),
};

fn find(status: StatusCode) -> bool {
    matches!(status.as_u16(), 201..=203 | 205..=299)
}
