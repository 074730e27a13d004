//! `content-type-malformed`: a Content-Type that is no media type.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::media::ContentType;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "content-type-malformed",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[12300],
    evidence: Evidence::Inferred,
    explain: "a Content-Type that is no media type",
    remedy: "send `Content-Type: text/xml; charset=utf-8`",
    action: "typed as text/xml",
    check: Check::Type(find),
};

fn find(content_type: &ContentType, ascii: bool) -> bool {
    let _ = ascii;
    matches!(content_type, ContentType::Malformed(_))
}
