//! `stream-binary-message`: the backend sent binary frames into a Media Stream, which takes text only.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::StreamReport;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-binary-message",
    stage: Stage::Stream,
    level: Level::Warning,
    codes: &[31950],
    evidence: Evidence::Documented,
    explain: "the backend sent binary frames into a Media Stream, which takes text only",
    remedy: "send JSON as text (`ws.send(json.dumps(…))`, not bytes), with the sound in base64 in media.payload",
    action: "nothing: the bytes pass as they are",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    report.first_rejected(31_950)
}
