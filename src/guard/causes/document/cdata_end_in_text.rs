//! `cdata-end-in-text`: `]]>` stands unescaped in text.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "cdata-end-in-text",
    stage: Stage::Document,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "`]]>` stands unescaped in text",
    remedy: "write `]]&gt;`",
    action: "escaped",
    check: Check::Elsewhere,
};
