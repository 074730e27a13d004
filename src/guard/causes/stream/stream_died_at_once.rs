//! `stream-died-at-once`: the backend gave the stream up as soon as it had begun, with nothing said, while the caller was on the line.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::StreamReport;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-died-at-once",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "the backend gave the stream up as soon as it had begun, with nothing said, while the caller was on the line",
    remedy: "the handler ended: look for its exception (a missing key or module of the voice service, a receive loop that returns on the first message); what follows is the `action` of <Connect>, which has to speak",
    action: "nothing: the bytes pass as they are; the call's next empty `action` is answered with speech",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    report.died_at_once().then(|| {
        let (seconds, frames) = (report.duration.as_secs_f32(), report.inbound.frames);
        format!("lasted {seconds:.1} s, {frames} frames in, 0 audio out")
    })
}
