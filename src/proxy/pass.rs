//! A request that streams through, both ways, untouched.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

use super::balance::{self, Asked};
use super::body::{RequestBody, ResponseBody};
use super::headers::{Sender, end_to_end};
use super::inlet::connection::Switch;
use super::upstream::Head;
use super::worker::Worker;
use super::{alias, forward, hint, refuse, upgrade};
use crate::config::Upstream;
use crate::config::route::Route;
use crate::guard::Failure;

/// Passes a request on and its answer back.
///
/// `switch`: the client's side of a WebSocket, when the request is a proper handshake.
pub(super) async fn answer(
    worker: &Worker,
    route: &Arc<Route>,
    parts: Parts,
    body: RequestBody,
    sender: Sender,
    switch: Option<Switch>,
) -> Response<ResponseBody> {
    worker.tally.passed();
    worker.metrics.passed();
    let open = worker.open.mark();
    let suspect = parts.method != Method::HEAD && hint::looks_like_twilio(&parts.headers);
    let suspect = suspect.then(|| (parts.method.clone(), parts.uri.path().to_owned()));
    let pulse = body.pulse();
    let request = outbound(worker, route, parts, body, sender, switch.is_some());
    let Asked { upstream, head, .. } = balance::passed(worker, route, request, &pulse).await;
    let head = match head {
        Ok(head) => head,
        Err(failure) => return refuse::no_answer(&upstream, &failure),
    };
    if let Some((method, path)) = &suspect
        && hint::is_page(head.parts.status, &head.parts.headers)
    {
        worker.hints.page_for_webhook(method, path);
    }
    if head.parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return switched(worker, &upstream, head, switch, open);
    }
    if !has_one_framing(&head.parts.headers) {
        let detail = "its length is ambiguous: Transfer-Encoding beside another, or beside \
                      Content-Length"
            .to_owned();
        let failure = Failure::NotHttp { received: head.received(), detail };
        return refuse::no_answer(&upstream, &failure);
    }
    let (parts, body) = head.into_parts();
    let body = ResponseBody::stream(body, (worker.config.pass.idle, pulse), open);
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    *response.headers_mut() = end_to_end(parts.headers);
    *response.extensions_mut() = parts.extensions;
    response
}

/// Whether all readers see the same end of an answer: no `Transfer-Encoding`, or `chunked` alone.
///
/// The library takes both lengths, and we would write the `Content-Length` that it did not read by.
fn has_one_framing(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return true };
    codings.next().is_none()
        && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        && !headers.contains_key(CONTENT_LENGTH)
}

/// The request to the backend: as it came, for its connection.
pub(super) fn outbound(
    worker: &Worker,
    route: &Route,
    parts: Parts,
    body: RequestBody,
    sender: Sender,
    is_handshake: bool,
) -> Request<RequestBody> {
    let target =
        if parts.uri.path() == "*" { parts.uri.clone() } else { Uri::from(alias::target(&parts)) };
    let mut headers = worker.face.forward(parts.headers, sender);
    forward::set_missing_host(&mut headers, route.upstream());
    if is_handshake {
        upgrade::set_websocket(&mut headers);
    }
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    *request.extensions_mut() = parts.extensions;
    request
}

/// The backend switched protocols: fine if the client asked for that very one.
fn switched(
    worker: &Worker,
    upstream: &Upstream,
    head: Box<Head>,
    switch: Option<Switch>,
    open: super::tally::Open,
) -> Response<ResponseBody> {
    let Some(client) = switch.filter(|_| upgrade::confirms_websocket(&head.parts.headers)) else {
        let detail = "101 Switching Protocols, which nobody asked for".to_owned();
        let failure = Failure::NotHttp { received: head.received(), detail };
        return refuse::no_answer(upstream, &failure);
    };
    let (parts, backend) = head.switch();
    worker.tracker.spawn(upgrade::join(client, backend, open));
    let mut response = Response::new(ResponseBody::full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = end_to_end(parts.headers);
    upgrade::set_websocket(response.headers_mut());
    *response.extensions_mut() = parts.extensions;
    response
}
