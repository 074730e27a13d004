//! `content-length-invalid`: Content-Length is no number, or says two things.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::OddPart;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "content-length-invalid",
    stage: Stage::Transport,
    level: Level::Fault,
    codes: &[11206],
    evidence: Evidence::Documented,
    explain: "Content-Length is no number, or says two things",
    remedy: "two layers set Content-Length, or one sets it by hand; let the outermost server compute it",
    action: "the document alone, where its whole root had arrived and nothing follows",
    check: Check::Head(OddPart::Length),
};
