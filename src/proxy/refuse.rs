//! Plain answers of the guard itself, and the requests that are refused at the door.

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use super::body::ResponseBody;
use super::inlet::fault::Fault;
use crate::config::Upstream;
use crate::guard::Failure;

/// A request that goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, why: fault.why }
    }
}

impl Refusal {
    /// The answer to it; its connection is closed, since what follows on it can't be trusted.
    pub(super) fn into_response(self) -> Response<ResponseBody> {
        let mut response = plain(self.status, self.why);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// The answer to a passed request whose backend gave none.
pub(super) fn no_answer(upstream: &Upstream, failure: &Failure) -> Response<ResponseBody> {
    let backend = upstream.authority();
    let (status, text) = match failure {
        Failure::ClosedEarly { received } if received.is_empty() => (
            StatusCode::BAD_GATEWAY,
            format!("backend {backend} closed the connection without an answer"),
        ),
        Failure::ClosedEarly { .. } => (
            StatusCode::BAD_GATEWAY,
            format!("backend {backend} closed the connection in the middle of its headers"),
        ),
        Failure::ConnectTimeout => (
            StatusCode::GATEWAY_TIMEOUT,
            format!("backend {backend} did not take the connection in time; is it reachable?"),
        ),
        Failure::CutShort { .. } | Failure::HeadersTooLate => (
            StatusCode::GATEWAY_TIMEOUT,
            format!("backend {backend} did not answer in time (pass_first_byte_timeout)"),
        ),
        Failure::NotHttp { detail, .. } => (
            StatusCode::BAD_GATEWAY,
            format!("backend {backend} answered something that is not HTTP/1: {detail}"),
        ),
        Failure::Refused { address } => (
            StatusCode::BAD_GATEWAY,
            format!("backend {address} refused the connection; is it running?"),
        ),
        Failure::Reset => {
            (StatusCode::BAD_GATEWAY, format!("backend {backend} reset the connection"))
        }
        Failure::Unreachable { address, detail } => {
            (StatusCode::BAD_GATEWAY, format!("backend {address} can't be reached: {detail}"))
        }
        Failure::Full { detail } => (StatusCode::SERVICE_UNAVAILABLE, detail.clone()),
        Failure::Internal { detail } => (StatusCode::BAD_GATEWAY, detail.clone()),
        Failure::RequestUnfit { detail } => (StatusCode::REQUEST_TIMEOUT, detail.clone()),
    };
    let mut response = plain(status, &text);
    if status == StatusCode::REQUEST_TIMEOUT {
        // The rest of the body is still to come.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer where the guard itself failed and there is nothing to fall back on.
pub(super) fn own_failure() -> Response<ResponseBody> {
    let why = "the guard itself failed on this request; its log says how";
    Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, why }.into_response()
}

/// A one-line text answer.
pub(super) fn plain(status: StatusCode, line: &str) -> Response<ResponseBody> {
    let text = format!("twiml-guard: {line}\n");
    let mut response = Response::new(ResponseBody::full(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
