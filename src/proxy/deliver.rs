//! A delivery becomes a response: framing, marks, and nothing else.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use uuid::Uuid;

use super::headers::{end_to_end, says_length};
use crate::guard::causes::Stage;
use crate::guard::{BodyEnd, Delivery, Exchange, Failure, Judgement, Outcome};

const INCIDENT: HeaderName = HeaderName::from_static("twiml-guard-incident");
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// What tells the reader of a changed delivery where to look.
#[derive(Debug)]
pub(super) struct Mark {
    incident: Option<HeaderValue>,
    proxy_status: Option<HeaderValue>,
}

impl Mark {
    pub(super) fn new(id: Uuid, judgement: &Judgement, outcome: &Outcome) -> Self {
        let cause = judgement.first_cause();
        let error = proxy_error(outcome, cause.map(|cause| cause.stage));
        let status = match outcome {
            Outcome::Answered(answer) => format!("; received-status={}", answer.status.as_u16()),
            Outcome::Failed(_) => String::new(),
        };
        let slug = cause.map_or("unknown", |cause| cause.slug);
        let proxy_status = format!("twiml-guard; error={error}{status}; details=\"{slug}\"");
        Self {
            incident: HeaderValue::try_from(id.hyphenated().to_string()).ok(),
            proxy_status: HeaderValue::try_from(proxy_status).ok(),
        }
    }
}

/// Marks a callback's acknowledgement in place of an answer that is still to come.
pub(super) fn mark_acknowledged(headers: &mut HeaderMap, id: Uuid) {
    headers
        .extend(HeaderValue::try_from(id.hyphenated().to_string()).ok().map(|id| (INCIDENT, id)));
    let status = "twiml-guard; error=http_response_timeout; details=\"callback-slow\"";
    headers.insert(PROXY_STATUS, HeaderValue::from_static(status));
}

/// The error's name in RFC 9209, section 2.3.
fn proxy_error(outcome: &Outcome, stage: Option<Stage>) -> &'static str {
    match outcome {
        Outcome::Failed(failure) => match failure {
            Failure::ClosedEarly { .. } | Failure::Reset => "connection_terminated",
            Failure::ConnectTimeout => "connection_timeout",
            Failure::CutShort { .. } | Failure::HeadersTooLate => "http_response_timeout",
            Failure::Full { .. } | Failure::Internal { .. } => "proxy_internal_error",
            Failure::NotHttp { .. } => "http_protocol_error",
            Failure::Refused { .. } => "connection_refused",
            Failure::RequestUnfit { .. } => "http_request_error",
            Failure::Unreachable { .. } => "destination_unavailable",
        },
        Outcome::Answered(answer) => match (&answer.end, stage) {
            (_, Some(Stage::Coding)) => "http_response_content_coding",
            (BodyEnd::TooLarge { .. }, Some(Stage::Transport)) => "http_response_body_size",
            (BodyEnd::TooLate, Some(Stage::Transport)) => "http_response_timeout",
            (BodyEnd::Truncated { .. }, Some(Stage::Transport)) => "http_response_incomplete",
            _ => "http_protocol_error",
        },
    }
}

/// The response that leaves for Twilio: exact Content-Length, never chunked.
///
/// `spelling` is how the original's reason and header names were written; it is kept where the
/// delivery is still that answer.
pub(super) fn response(
    delivery: Delivery,
    exchange: &Exchange,
    spelling: Extensions,
    mark: Option<Mark>,
) -> Response<Bytes> {
    let Delivery { status, headers, body, .. } = delivery;
    let mut headers = end_to_end(headers);
    let is_head = exchange.request.method == Method::HEAD;
    set_length(&mut headers, status, &body, is_head, &exchange.outcome);
    if let Some(Mark { incident, proxy_status }) = mark {
        headers.extend(incident.map(|value| (INCIDENT, value)));
        headers.extend(proxy_status.map(|value| (PROXY_STATUS, value)));
    }
    let original = match &exchange.outcome {
        Outcome::Answered(answer) => Some(answer.status),
        Outcome::Failed(_) => None,
    };
    let body = if is_head { Bytes::new() } else { body };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.extensions_mut() = spelling;
    if original != Some(status) {
        response.extensions_mut().remove::<ReasonPhrase>();
    }
    response
}

fn set_length(
    headers: &mut HeaderMap,
    status: StatusCode,
    body: &Bytes,
    is_head: bool,
    outcome: &Outcome,
) {
    let is_without = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if !is_without && !is_head && says_length(headers, body.len()) {
        return;
    }
    headers.remove(CONTENT_LENGTH);
    if is_without {
        return;
    }
    if is_head && body.is_empty() {
        // What GET would have given has a length that only the backend knows.
        if let Outcome::Answered(answer) = outcome
            && let Some(length) = answer.headers.get(CONTENT_LENGTH)
        {
            headers.insert(CONTENT_LENGTH, length.clone());
        }
        return;
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_is_told_once_and_rightly_stays_in_its_place() {
        for (lines, expected) in [
            (&["350"][..], true),
            (&["0350"], false),
            (&["+350"], false),
            (&["350 "], false),
            (&["349"], false),
            (&["350", "350"], false),
            (&["99999999999999999999350"], false),
            (&[""], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(line));
            }
            assert_eq!(says_length(&headers, 350), expected, "{lines:?}");
        }
        let empty = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("0"))]);
        assert!(says_length(&empty, 0));
    }
}
