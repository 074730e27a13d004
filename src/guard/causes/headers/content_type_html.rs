//! `content-type-html`: good TwiML as text/html; Twilio parses it all the same.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::media::ContentType;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "content-type-html",
    stage: Stage::Headers,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Documented,
    explain: "good TwiML as text/html; Twilio parses it all the same",
    remedy: "send `Content-Type: text/xml; charset=utf-8`",
    action: "typed as text/xml",
    check: Check::Type(find),
};

fn find(content_type: &ContentType, ascii: bool) -> bool {
    let _ = ascii;
    content_type.essence() == "text/html"
}
