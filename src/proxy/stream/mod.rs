//! Streams: WebSockets that Twilio opens. They are watched, and what they came to is recorded.

mod handshake;
mod opening;
mod pipe;
mod watched;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::watched::Watched;
use super::body::{RequestBody, ResponseBody};
use super::caught::caught;
use super::collect::collect;
use super::headers::{Sender, end_to_end, tokens};
use super::http1::tunnel::Tunnel;
use super::inlet::connection::Switch;
use super::socket::Socket;
use super::tally::Open;
use super::upstream::Head;
use super::worker::Worker;
use super::{balance, deliver, pass, upgrade};
use crate::guard::watch::Watch;
use crate::guard::{Answer, Failure, Outcome};

pub(super) use self::handshake::{is_stream, without_upgrade};
pub(super) use self::opening::Opening;

/// How long the body of a refusal may take.
const REFUSAL: Duration = Duration::from_secs(5);

/// The streams that run.
#[derive(Debug, Default)]
pub(super) struct Streams {
    running: TaskTracker,
    go_away: CancellationToken,
}

impl Streams {
    /// Tells both sides of every stream that the guard goes away, and waits for them for a moment.
    pub(super) async fn go_away(&self) {
        self.go_away.cancel();
        self.running.close();
        let _ = timeout(pipe::GOING_AWAY, self.running.wait()).await;
    }
}

/// Passes the handshake of a stream on, and joins both sides once the backend has switched.
pub(super) async fn answer(
    mut opening: Opening,
    parts: Parts,
    body: RequestBody,
    sender: Sender,
    switch: Switch,
) -> Response<ResponseBody> {
    let (worker, route) = (&Arc::clone(&opening.worker), &Arc::clone(&opening.route));
    let open = worker.open.mark();
    let asked = parts.headers.clone();
    let pulse = body.pulse();
    let request = pass::outbound(worker, route, parts, body, sender, true);
    opening.sent.headers = Arc::new(request.headers().clone());
    let asked_of = balance::passed(worker, route, request, &pulse).await;
    opening.upstream = asked_of.upstream;
    match asked_of.head {
        Err(failure) => failed(opening, failure),
        Ok(head) if head.parts.status == StatusCode::SWITCHING_PROTOCOLS => {
            if upgrade::confirms_websocket(&head.parts.headers) {
                switched(worker, opening, head, &asked, switch, open)
            } else {
                let detail = "101 Switching Protocols, but not to WebSocket".to_owned();
                failed(opening, Failure::NotHttp { received: head.received(), detail })
            }
        }
        Ok(head) => refused(worker, opening, head).await,
    }
}

/// No answer came.
fn failed(opening: Opening, failure: Failure) -> Response<ResponseBody> {
    let report = opening.report_of(&Outcome::Failed(failure.clone()));
    let (judgement, exchange, mark) = opening.close(report, Outcome::Failed(failure));
    last(deliver::response(judgement.delivery, &exchange, http::Extensions::new(), mark))
}

/// The backend did not switch: its answer goes on as it is.
async fn refused(worker: &Worker, opening: Opening, head: Box<Head>) -> Response<ResponseBody> {
    let odd = head.odd.clone();
    let (parts, mut body) = head.into_parts();
    let deadline = pin!(sleep(REFUSAL));
    let (limit, mut room) = (worker.config.max_answer_body, worker.room.share());
    let (body, end) = collect(&mut body, limit, &mut room, deadline).await;
    let outcome = match end {
        Ok(end) => Outcome::Answered(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            end,
            odd,
        }),
        Err(full) => Outcome::Failed(Failure::Full { detail: full.to_string() }),
    };
    let report = opening.report_of(&outcome);
    let (judgement, exchange, _) = opening.close(report, outcome);
    last(deliver::response(judgement.delivery, &exchange, parts.extensions, None))
}

/// What a client may have sent behind its handshake is no request (RFC 9931).
fn last(response: Response<Bytes>) -> Response<ResponseBody> {
    let mut response = response.map(ResponseBody::full);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The backend switched.
fn switched(
    worker: &Worker,
    opening: Opening,
    head: Box<Head>,
    asked: &HeaderMap,
    client: Switch,
    open: Open,
) -> Response<ResponseBody> {
    let (parts, backend) = head.switch();
    let watch = Watch::new(opening.path(), reserved_bits(asked, &parts.headers));
    let watched = Watched::new(opening, watch, parts.headers.clone());
    let metrics = worker.metrics.clone();
    let streams = Arc::clone(&worker.streams);
    let joined = run(client, backend, watched, open, Arc::clone(&streams));
    let joined = async move { caught(&metrics, "a stream", joined).await };
    worker.tracker.spawn(streams.running.track_future(joined));
    let mut response = Response::new(ResponseBody::full(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = end_to_end(parts.headers);
    upgrade::set_websocket(response.headers_mut());
    *response.extensions_mut() = parts.extensions;
    response
}

async fn run(
    client: Switch,
    backend: Tunnel<Socket>,
    mut watched: Watched,
    open: Open,
    streams: Arc<Streams>,
) {
    let _open = open;
    if let Ok(client) = client.await {
        pipe::join(client, backend, &mut watched, streams.go_away.cancelled()).await;
    } else {
        watched.lost();
        tracing::debug!("a stream was lost while switching");
    }
}

/// The reserved bits of a frame that the extensions use on which both sides agreed.
fn reserved_bits(asked: &HeaderMap, confirmed: &HeaderMap) -> u8 {
    let name = |extension: &str| {
        extension.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    let asked: Vec<_> = tokens(asked, &SEC_WEBSOCKET_EXTENSIONS).map(name).collect();
    tokens(confirmed, &SEC_WEBSOCKET_EXTENSIONS)
        .map(name)
        .filter(|name| asked.contains(name))
        .map(|name| if name == "permessage-deflate" { 0x40 } else { 0x70 })
        .fold(0, |all, bits| all | bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_bits_mean_something_only_where_both_sides_agreed() {
        let map = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            HeaderMap::from_iter([(SEC_WEBSOCKET_EXTENSIONS, value)])
        };
        let deflate = map("permessage-deflate; client_max_window_bits, x-other");
        assert_eq!(reserved_bits(&deflate, &map("permessage-deflate")), 0x40);
        assert_eq!(reserved_bits(&deflate, &map("x-other; a=1")), 0x70);
        assert_eq!(reserved_bits(&HeaderMap::new(), &map("permessage-deflate")), 0);
        assert_eq!(reserved_bits(&deflate, &HeaderMap::new()), 0);
    }
}
