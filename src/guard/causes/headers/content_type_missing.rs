//! `content-type-missing`: good TwiML without a Content-Type.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::media::ContentType;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "content-type-missing",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[11200],
    evidence: Evidence::Documented,
    explain: "good TwiML without a Content-Type",
    remedy: "send `Content-Type: text/xml; charset=utf-8`",
    action: "typed as text/xml",
    check: Check::Type(find),
};

fn find(content_type: &ContentType, ascii: bool) -> bool {
    let _ = ascii;
    *content_type == ContentType::Missing
}
