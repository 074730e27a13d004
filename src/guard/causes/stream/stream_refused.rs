//! `stream-refused`: the backend did not switch to WebSocket.

use crate::guard::causes::{Cause, Check, Evidence, Level, Stage};
use crate::guard::stream::{StreamEnd, StreamReport};
use crate::guard::words::{first_bytes, first_line};

/// The catalogue entry.
pub static CAUSE: Cause = Cause {
    slug: "stream-refused",
    stage: Stage::Stream,
    level: Level::Fault,
    codes: &[31920],
    evidence: Evidence::Documented,
    explain: "the backend did not switch to WebSocket",
    remedy: "register this very path as a WebSocket route (flask-sock's `@sock.route`, Starlette's `@app.websocket`), not as a plain one (`@app.route`) nor as Socket.IO, and accept before anything can fail; serve it with a worker that speaks WebSocket (gunicorn: gthread or gevent; uvicorn: with `websockets` installed)",
    action: "the refusal goes to Twilio as it is",
    check: Check::Stream(find),
};

fn find(report: &StreamReport) -> Option<String> {
    let is_refusal = |status: &u16| *status != 101 && report.end == StreamEnd::Refused;
    let status = report.status.filter(is_refusal)?;
    let refusal = report.refusal.clone().unwrap_or_default();
    let kind = refusal.content_type.map(|kind| format!(" {kind}")).unwrap_or_default();
    let first = first_line(&first_bytes(&refusal.first));
    let first = if first.is_empty() { "an empty body".to_owned() } else { format!("\"{first}\"") };
    Some(format!("answered {status}{kind} instead of 101; first line: {first}"))
}
