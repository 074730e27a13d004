//! `stream-unreachable`: the backend gave no answer to a WebSocket handshake.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::exchange::Failure;
use crate::guard::stream::StreamReport;
use crate::guard::words::first_bytes;

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-unreachable",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[31920, 31902, 31901, 31904, 31903],
    evidence: Evidence::Documented,
    explain: "the backend gave no answer to a WebSocket handshake",
    remedy: "start the backend, and check `upstream`, firewall and the backend's log at this moment; a worker that is busy with other streams answers no handshake (gunicorn's sync worker serves one at a time)",
    action: "502, which Twilio logs as 31920; the other codes are what it would log without the guard",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    Some(match report.failure.as_ref()? {
        Failure::Refused { address } => format!("nobody listens at {address} (31902 without the guard)"),
        Failure::ConnectTimeout => "no TCP connection in time (31901 without the guard)".to_owned(),
        Failure::Unreachable { address, detail } => {
            format!("{address}: {detail} (31904 without the guard)")
        }
        Failure::HeadersTooLate => "connected, but no answer in time".to_owned(),
        Failure::Reset => "the connection was reset before an answer".to_owned(),
        Failure::ClosedEarly { received } if received.is_empty() => "closed without a byte".to_owned(),
        Failure::ClosedEarly { received } | Failure::NotHttp { received, .. } => {
            format!("no answer, but: {}", first_bytes(received))
        }
        Failure::Full { detail }
        | Failure::RequestUnfit { detail }
        | Failure::Internal { detail } => detail.clone(),
    })
}
