//! Which requests are streams, and what a handshake gets that is none.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::opening::Opening;
use crate::config::route::Route;
use crate::guard::stream::StreamReport;
use crate::guard::{Failure, Outcome};
use crate::proxy::body::ResponseBody;
use crate::proxy::headers::{TWILIO_SIGNATURE, tokens};
use crate::proxy::worker::Worker;
use crate::proxy::{deliver, refuse};
use crate::twilio::{Slot, SlotSetting};

/// What Twilio's WebSocket client calls itself.
const AGENT: &[u8] = b"Twilio.TmeWs";

const STREAM: SlotSetting = SlotSetting::Fixed(Slot::Stream);

/// Whether a WebSocket handshake opens a stream of Twilio's.
pub(in crate::proxy) fn is_stream(worker: &Worker, route: &Route, parts: &Parts) -> bool {
    let is_known = || worker.calls.is_stream(parts.uri.path()) || looks_like_twilio(&parts.headers);
    route.slot == STREAM || route.slot != SlotSetting::Pass && is_known()
}

fn looks_like_twilio(headers: &HeaderMap) -> bool {
    headers.contains_key(TWILIO_SIGNATURE)
        || headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(AGENT))
}

/// The answer to a GET on a stream's path that is no WebSocket handshake; `None` for everything
/// that is no stream's.
pub(in crate::proxy) fn without_upgrade(
    worker: &Arc<Worker>,
    route: &Arc<Route>,
    parts: &Parts,
    start: Instant,
) -> Option<Response<ResponseBody>> {
    let has_key = parts.headers.contains_key(SEC_WEBSOCKET_KEY);
    let is_streams = route.slot == STREAM
        || route.slot != SlotSetting::Pass
            && looks_like_twilio(&parts.headers)
            && (worker.calls.is_stream(parts.uri.path()) || has_key);
    if parts.method != Method::GET || !is_streams {
        return None;
    }
    let mut response = match missing(&parts.headers).filter(|_| has_key) {
        Some(missing) => lost(worker, route, parts, start, missing),
        None => refuse::plain(
            StatusCode::UPGRADE_REQUIRED,
            "this path is a WebSocket: expected GET with Upgrade: websocket, Connection: Upgrade and \
             Sec-WebSocket-Version: 13 over HTTP/1.1",
        ),
    };
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade, close"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    Some(response)
}

/// The headers that a handshake lost on its way.
fn missing(headers: &HeaderMap) -> Option<&'static str> {
    let has_upgrade = headers.contains_key(UPGRADE);
    let has_connection =
        tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    match (has_upgrade, has_connection) {
        (true, true) => None,
        (false, true) => Some("Upgrade"),
        (true, false) => Some("Connection: Upgrade"),
        (false, false) => Some("Upgrade and Connection: Upgrade"),
    }
}

/// A proxy in front took the upgrade away.
fn lost(
    worker: &Arc<Worker>,
    route: &Arc<Route>,
    parts: &Parts,
    start: Instant,
    missing: &str,
) -> Response<ResponseBody> {
    let opening = Opening::new(worker, route, parts, start);
    let detail = format!(
        "{:?} with Sec-WebSocket-Key, but without {missing}: a proxy in front dropped it",
        parts.version
    );
    let report = StreamReport {
        path: opening.path().to_owned(),
        upgrade_lost: Some(detail.clone()),
        ..StreamReport::default()
    };
    let outcome = Outcome::Failed(Failure::RequestUnfit { detail });
    let (judgement, exchange, mark) = opening.close(report, outcome);
    deliver::response(judgement.delivery, &exchange, Extensions::new(), mark)
        .map(ResponseBody::full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_handshake_lost_is_named() {
        for (lines, expected) in [
            (&[][..], Some("Upgrade and Connection: Upgrade")),
            (&[(CONNECTION, "keep-alive, Upgrade")], Some("Upgrade")),
            (&[(UPGRADE, "websocket"), (CONNECTION, "close")], Some("Connection: Upgrade")),
            (&[(UPGRADE, "websocket"), (CONNECTION, "upgrade")], None),
        ] {
            let lines = lines.iter().cloned();
            let headers = lines.map(|(name, value)| (name, HeaderValue::from_static(value)));
            assert_eq!(missing(&headers.collect()), expected);
        }
    }
}
