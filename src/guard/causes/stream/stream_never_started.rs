//! `stream-never-started`: a stream was handed out or opened, and its `start` (or `setup`) never came.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::{Side, StreamReport};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-never-started",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[],
    evidence: Evidence::Inferred,
    explain: "a stream was handed out or opened, and its `start` (or `setup`) never came",
    remedy: "no handshake at all: is the URL in the TwiML the one that leads here, and is there one guard only? Opened and ended: the handler has to keep the socket until Twilio closes it: one that returns at once (a route without a receive loop, a missing `await`) ends it; and a 101 must name no subprotocol that Twilio did not ask for",
    action: "nothing: the bytes pass as they are",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    let by = match report.ended_by().filter(|_| report.never_started())? {
        Side::Backend => "the backend",
        Side::Twilio => "the caller's side",
    };
    let (seconds, frames) = (report.duration.as_secs_f32(), report.inbound.frames);
    Some(format!("ended by {by} after {seconds:.1} s and {frames} frames, none of them a `start`"))
}
