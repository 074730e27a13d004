//! WebSockets: who may switch, and the pipe afterwards.

use http::header::{CONNECTION, HeaderName, UPGRADE};
use http::{HeaderMap, HeaderValue};
use tokio::io::copy_bidirectional;

use super::headers::tokens;
use super::http1::tunnel::Tunnel;
use super::inlet::connection::Switch;
use super::socket::Socket;
use super::tally::Open;

/// Whether an answer with status 101 confirms a WebSocket.
pub(super) fn confirms_websocket(headers: &HeaderMap) -> bool {
    is_only(headers, &UPGRADE, "websocket")
}

fn is_only(headers: &HeaderMap, name: &HeaderName, expected: &str) -> bool {
    let mut all = tokens(headers, name);
    all.next().is_some_and(|first| first.eq_ignore_ascii_case(expected)) && all.next().is_none()
}

/// Puts the handshake's own hop-by-hop headers back.
pub(super) fn set_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Joins both sides once both have switched: bytes unaltered and at once, back-pressure both
/// ways, one direction may end before the other.
pub(super) async fn join(client: Switch, mut backend: Tunnel<Socket>, open: Open) {
    let _open = open;
    let Ok(mut client) = client.await else {
        tracing::debug!("a WebSocket was lost while switching");
        return;
    };
    if let Err(error) = copy_bidirectional(&mut client, &mut backend).await {
        tracing::debug!(%error, "a WebSocket ended without closing");
    }
}
