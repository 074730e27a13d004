//! `content-type-doubled`: more than one Content-Type.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::media::ContentType;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "content-type-doubled",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[12300],
    evidence: Evidence::Inferred,
    explain: "more than one Content-Type",
    remedy: "let one layer set the header, once",
    action: "typed as text/xml",
    check: Check::Type(find),
};

fn find(content_type: &ContentType, ascii: bool) -> bool {
    let _ = ascii;
    matches!(content_type, ContentType::Doubled(_))
}
