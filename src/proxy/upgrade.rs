//! WebSockets: who may switch, and the pipe afterwards.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::headers::tokens;
use super::tally::Open;

/// Whether a request is a proper WebSocket handshake (RFC 6455, section 4.1). Nothing else may
/// switch protocols: an `h2c` tunnel would lead past every check.
pub(super) fn is_websocket<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && is_only(headers, &UPGRADE, "websocket")
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && is_only(headers, &SEC_WEBSOCKET_VERSION, "13")
        && headers.get_all(SEC_WEBSOCKET_KEY).iter().count() == 1
        && !headers.contains_key(TRANSFER_ENCODING)
        && headers.get(CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0")
}

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
pub(super) async fn join(client: OnUpgrade, backend: OnUpgrade, open: Open) {
    let _open = open;
    let (client, backend) = match tokio::try_join!(client, backend) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "a WebSocket was lost while switching");
            return;
        }
    };
    let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
    if let Err(error) = copy_bidirectional(&mut client, &mut backend).await {
        tracing::debug!(%error, "a WebSocket ended without closing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(changed: Option<(&'static str, &'static str)>) -> Request<()> {
        let mut request = Request::get("/ws")
            .header("upgrade", "WebSocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .body(())
            .unwrap();
        if let Some((name, value)) = changed {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn only_a_proper_handshake_may_switch() {
        assert!(is_websocket(&handshake(None)));
        for changed in [
            ("upgrade", "h2c"),
            ("upgrade", "websocket, h2c"),
            ("connection", "keep-alive"),
            ("sec-websocket-version", "8"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
        ] {
            assert!(!is_websocket(&handshake(Some(changed))), "{changed:?}");
        }
        let mut post = handshake(None);
        *post.method_mut() = Method::POST;
        assert!(!is_websocket(&post));
    }
}
