//! `stream-garbage`: behind the 101 the backend sent bytes that are no WebSocket frame.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::StreamReport;
use crate::guard::words::first_bytes;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-garbage",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[31924],
    evidence: Evidence::Documented,
    explain: "behind the 101 the backend sent bytes that are no WebSocket frame",
    remedy: "look for the exception of the stream's handler in the backend's log: a server that can't undo the switch writes its HTTP error page into the socket (Werkzeug, eventlet); catch it in the handler and close with 1011",
    action: "where a frame should begin with an HTTP head, or none came yet: the bytes are stopped and Twilio's side is closed with 1011",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    let garbage = report.garbage.as_ref()?;
    let first = first_bytes(&garbage.first);
    Some(format!("after 101 and {} frames: {first} ({})", garbage.frames_before, garbage.why))
}
