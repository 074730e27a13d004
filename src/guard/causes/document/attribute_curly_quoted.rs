//! `attribute-curly-quoted`: an attribute value in typographic quotes.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "attribute-curly-quoted",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Reported,
    explain: "an attribute value in typographic quotes",
    remedy: "use straight quotes",
    action: "straight quotes",
    check: Check::Elsewhere,
};
