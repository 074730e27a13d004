//! `content-type-wrong`: good TwiML under a type that is not TwiML's.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::media::ContentType;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "content-type-wrong",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[12300],
    evidence: Evidence::Documented,
    explain: "good TwiML under a type that is not TwiML's",
    remedy: "send `Content-Type: text/xml; charset=utf-8`",
    action: "typed as text/xml",
    check: Check::Type(find),
};

fn find(content_type: &ContentType, ascii: bool) -> bool {
    let _ = ascii;
    content_type.media().is_some() && !matches!(content_type.essence(), "text/xml" | "application/xml" | "text/html")
}
