//! `stream-lost`: the backend's connection ended in the middle of a stream, without a close frame.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::{Side, StreamEnd, StreamReport};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-lost",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[31903],
    evidence: Evidence::Documented,
    explain: "the backend's connection ended in the middle of a stream, without a close frame",
    remedy: "a worker died, was restarted or killed for its time-out (gunicorn's `--timeout` kills sync workers that hold a stream); end a stream with a close frame, 1000",
    action: "nothing: the end passes as it is",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    let lost = report.end == StreamEnd::Lost { by: Side::Backend };
    let seconds = report.duration.as_secs_f32();
    (lost && !report.has_stopped).then(|| format!("ended after {seconds:.1} s without a close frame"))
}
