//! `charset-label-untrue`: Content-Type names a charset that the document does not have.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::media::ContentType;
use crate::guard::charset::{is_ascii_compatible_in_header, is_utf8};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "charset-label-untrue",
    stage: Stage::Headers,
    level: Level::Fault,
    codes: &[12100],
    evidence: Evidence::Inferred,
    explain: "Content-Type names a charset that the document does not have",
    remedy: "send `Content-Type: text/xml; charset=utf-8`",
    action: "typed as text/xml; charset=utf-8",
    check: Check::Type(find),
};

fn find(content_type: &ContentType, ascii: bool) -> bool {
    let Some(charset) = content_type.media().and_then(|media| media.charset.as_deref()) else {
        return false;
    };
    let truthful = is_utf8(charset) || (ascii && is_ascii_compatible_in_header(charset));
    matches!(content_type.essence(), "text/xml" | "application/xml") && !truthful
}
