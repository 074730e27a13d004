//! `header-malformed`: a header line that HTTP readers pass over.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::OddPart;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "header-malformed",
    stage: Stage::Headers,
    level: Level::Warning,
    codes: &[11206],
    evidence: Evidence::Inferred,
    explain: "a header line that HTTP readers pass over",
    remedy: "a header is set from unchecked data, or by hand; set headers through the framework",
    action: "the line left out",
    check: Check::Head(OddPart::Line),
};
