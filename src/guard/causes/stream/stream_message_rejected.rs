//! `stream-message-rejected`: the backend sent messages that Media Streams does not know.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::StreamReport;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-message-rejected",
    stage: Stage::Stream,
    level: Level::Warning,
    codes: &[31951],
    evidence: Evidence::Documented,
    explain: "the backend sent messages that Media Streams does not know",
    remedy: "send media (streamSid, media.payload in base64), mark or clear, with the streamSid of this stream's `start`",
    action: "nothing: the bytes pass as they are",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    report.first_rejected(31_951)
}
