//! Plain answers of the guard itself, and the requests that are refused at the door.

use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use super::body::ResponseBody;
use crate::config::Upstream;
use crate::guard::Failure;

/// A request that goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

const fn bad(why: &'static str) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, why }
}

/// Refuses what two readers could understand differently, and what no webhook needs.
///
/// `has_one_length`: whether its head says in one way only how long its body is.
pub(super) fn check<B>(request: &Request<B>, has_one_length: bool) -> Result<(), Refusal> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        let why = "this method is not served here";
        return Err(Refusal { status: StatusCode::NOT_IMPLEMENTED, why });
    }
    let headers = request.headers();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|only| !only.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
    {
        return Err(bad("expected Transfer-Encoding: chunked or none, found another"));
    }
    if !has_one_length {
        return Err(bad("Transfer-Encoding and Content-Length exclude each other; send one"));
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(bad("expected one Host header, found several"));
    }
    let Some(host) = host else {
        if request.version() == Version::HTTP_10 {
            return Ok(());
        }
        return Err(bad("expected a Host header, found none"));
    };
    // An empty one is legal where the target has no authority.
    if !host.is_empty() && Authority::try_from(host.as_bytes()).is_err()
        || host.as_bytes().contains(&b'@')
    {
        return Err(bad("the Host header is no host name with an optional port"));
    }
    let Some(authority) = request.uri().authority() else { return Ok(()) };
    if authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()) {
        Ok(())
    } else {
        Err(bad("the target names another host than the Host header"))
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
        Failure::HeadersTooLate => (
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, lines: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::post(target);
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    #[test]
    fn one_fitting_host_is_taken() {
        for host in ["a", "a:80", "127.0.0.1:5000", "[::1]:5000", ""] {
            assert_eq!(check(&request("/", &[("host", host)]), true), Ok(()), "{host}");
        }
        assert_eq!(check(&request("http://A:80/x", &[("host", "a:80")]), true), Ok(()));
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        for lines in [
            &[][..],
            &[("host", "a"), ("host", "a")],
            &[("host", "a b")],
            &[("host", "a/x")],
            &[("host", "user@a")],
            &[("host", "a"), ("transfer-encoding", "gzip, chunked")],
            &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
        ] {
            assert_eq!(check(&request("/", lines), true).unwrap_err().status, 400, "{lines:?}");
        }
        assert_eq!(check(&request("http://b/", &[("host", "a")]), true).unwrap_err().status, 400);
    }

    #[test]
    fn methods_that_no_webhook_needs_are_refused() {
        let mut trace = request("/", &[("host", "a")]);
        *trace.method_mut() = Method::TRACE;
        assert_eq!(check(&trace, true).unwrap_err().status, 501);
        assert_eq!(check(&request("/", &[("host", "a")]), false).unwrap_err().status, 400);
    }
}
