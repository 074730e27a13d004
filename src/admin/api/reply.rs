//! Answers: JSON with the headers that every one carries, and streams of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::Receiver;

/// An answer.
pub(super) type Reply = Response<ReplyBody>;

/// The body of an answer.
#[derive(Debug)]
pub(super) enum ReplyBody {
    /// Whole.
    Whole(Bytes),
    /// Comes piece by piece, until its sender is dropped.
    Stream(Receiver<Bytes>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Nothing that a browser might load, run, send or be framed by.
const CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An answer of this type with the headers that all carry.
pub(super) fn reply(status: StatusCode, kind: &'static str, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, CSP);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    reply
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(mut text) => {
            text.push(b'\n');
            reply(status, "application/json", ReplyBody::Whole(text.into()))
        }
        Err(error) => Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into(),
    }
}

/// Why a request is not answered: `{"error": …}` and what helps to do better.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    fields: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// With a message: expected, found, what to do.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let fields = [("error".to_owned(), Value::from(message))].into_iter().collect();
        Self { status, fields, headers: Vec::new() }
    }

    /// A parameter that makes no sense.
    pub(super) fn parameter(name: &str, expected: &str, found: &str) -> Self {
        let found: String = found.chars().take(100).collect();
        let message = format!("expected {name} to be {expected}, found `{}`", found.escape_debug());
        Self::new(StatusCode::BAD_REQUEST, message).with("parameter", json!(name))
    }

    /// With one more field.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// With the methods that are allowed.
    pub(super) fn allow(self, methods: &'static str) -> Self {
        self.header(ALLOW, methods)
    }

    /// With the way to prove who one is.
    pub(super) fn challenge(self, challenge: &'static str) -> Self {
        self.header(WWW_AUTHENTICATE, challenge)
    }

    /// With the seconds after which it may work.
    pub(super) fn retry_after(self, seconds: &'static str) -> Self {
        self.header(RETRY_AFTER, seconds)
    }

    fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let text = format!("{}\n", Value::from(refusal.fields));
        let mut reply = reply(refusal.status, "application/json", ReplyBody::Whole(text.into()));
        reply.headers_mut().extend(refusal.headers);
        reply
    }
}
