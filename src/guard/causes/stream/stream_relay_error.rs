//! `stream-relay-error`: ConversationRelay complained of a message of the backend.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::StreamReport;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-relay-error",
    stage: Stage::Stream,
    level: Level::Warning,
    codes: &[],
    evidence: Evidence::Documented,
    explain: "ConversationRelay complained of a message of the backend",
    remedy: "send text, play, sendDigits, language or end, as ConversationRelay's pages write them",
    action: "nothing: the bytes pass as they are",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    report.told_error.clone()
}
