//! `stream-closed-with-error`: the backend closed the stream with a code that says that something went wrong.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::{Side, StreamEnd, StreamReport};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-closed-with-error",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[31921],
    evidence: Evidence::Documented,
    explain: "the backend closed the stream with a code that says that something went wrong",
    remedy: "1011 is what WebSocket servers send when a handler raised: look for its exception in the backend's log; close with 1000 when all is said",
    action: "nothing: the bytes pass as they are",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    let StreamEnd::Closed { by: Side::Backend, code: Some(code), reason } = &report.end else {
        return None;
    };
    let reason = if reason.is_empty() { String::new() } else { format!(" \"{reason}\"") };
    (!report.ended_in_order())
        .then(|| format!("closed {code}{reason} after {:.1} s", report.duration.as_secs_f32()))
}
