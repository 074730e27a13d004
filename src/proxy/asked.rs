//! A guarded request, read whole.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::BodyExt as _;
use tokio::time::{Sleep, sleep_until};

use super::authenticate::{self, Check, Checked, Covered};
use super::collect::collect;
use super::headers::Sender;
use super::inlet::body::Incoming;
use super::refuse::Refusal;
use super::room::Held;
use super::routing;
use super::service::{Inbound, InboundBody};
use super::worker::Worker;
use crate::guard::{BodyEnd, Failure, RequestFacts};
use crate::twilio::Params;

/// More of a request that is too large is read and thrown away, so that its sender reads the
/// answer instead of a reset.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// A guarded request, its body read.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) parts: Parts,
    /// The body, or why it could not be taken whole.
    pub(super) body: Result<Bytes, Failure>,
    /// The room that it takes.
    pub(super) held: Arc<Held>,
    /// The same for the judge, with the parameters of form and query.
    pub(super) facts: Arc<RequestFacts>,
    pub(super) sender: Sender,
    /// When its head was read.
    pub(super) start: Instant,
    /// What is known of its signature, or has yet to be.
    pub(super) check: Check,
}

impl Asked {
    /// A request that has come whole; the error: it has not, or is to be looked at for its size.
    pub(super) fn at_hand(worker: &Worker, mut inbound: Inbound) -> Result<Self, Box<Inbound>> {
        let mut held = worker.room.share();
        match &mut inbound.body {
            InboundBody::Coming(body) => {
                let Some(whole) = body.take_here() else { return Err(Box::new(inbound)) };
                let fits = whole.len() <= worker.config.max_request_body;
                if !fits || held.grow(whole.len()).is_err() {
                    *body = Incoming::here(whole);
                    return Err(Box::new(inbound));
                }
                let Inbound { parts, sender, start, check, .. } = inbound;
                Ok(Self::new(parts, Ok(whole), Arc::new(held), sender, start, check))
            }
            InboundBody::Read(..) => Err(Box::new(inbound)),
        }
    }

    /// Reads the rest of a request; `None` when the client broke off.
    pub(super) async fn read(worker: &Worker, inbound: Inbound) -> Option<Self> {
        let Inbound { parts, body, sender, start, check } = inbound;
        let (body, held) = match body {
            InboundBody::Read(body, held) => (Ok(body), held),
            InboundBody::Coming(mut body) => {
                let mut held = worker.room.share();
                let deadline = pin!(sleep_until((start + worker.config.budget).into()));
                (whole(worker, &mut body, &mut held, deadline).await?, Arc::new(held))
            }
        };
        Some(Self::new(parts, body, held, sender, start, check))
    }

    /// A request of which everything is there.
    pub(super) fn new(
        parts: Parts,
        body: Result<Bytes, Failure>,
        held: Arc<Held>,
        sender: Sender,
        start: Instant,
        check: Check,
    ) -> Self {
        let read = body.clone().unwrap_or_default();
        let params = routing::params(&parts, &read);
        let facts = Arc::new(Seen::of(&parts).facts(params, read));
        Self { parts, body, held, facts, sender, start, check }
    }

    /// Looks at its signature, if that was not done yet; the error: it goes no further.
    pub(super) fn admit(&mut self, worker: &Worker) -> Result<Checked, Refusal> {
        let mode = match (&self.check, &self.body) {
            (Check::Done(checked), _) => return Ok(checked.clone()),
            // The backend is never asked.
            (Check::Due(_), Err(_)) => return Ok(Checked::default()),
            (Check::Due(mode), Ok(_)) => *mode,
        };
        let body = self.body.as_deref().unwrap_or_default();
        let (parts, peer) = (&self.parts, self.sender.ip);
        let checked =
            authenticate::admit(worker, mode, Covered { parts, body, peer, is_websocket: false })?;
        self.check = Check::Done(checked.clone());
        Ok(checked)
    }
}

/// What the judge looks at of a request's head. Shares the head's bytes.
#[derive(Debug)]
pub(super) struct Seen {
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    has_authorization: bool,
}

impl Seen {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            host: parts.headers.get(HOST).cloned(),
            has_authorization: parts.headers.contains_key(AUTHORIZATION),
        }
    }

    /// The request with what was read of it besides.
    pub(super) fn facts(&self, params: Params, body: Bytes) -> RequestFacts {
        let host = self.host.as_ref().and_then(|host| host.to_str().ok());
        RequestFacts {
            method: self.method.clone(),
            target: self.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),
            host: host.map(str::to_owned),
            has_authorization: self.has_authorization,
            params,
            body,
        }
    }
}

/// The whole body, or why it can't be taken; `None` when the client broke off.
async fn whole(
    worker: &Worker,
    body: &mut Incoming,
    held: &mut Held,
    mut deadline: Pin<&mut Sleep>,
) -> Option<Result<Bytes, Failure>> {
    let limit = worker.config.max_request_body;
    let (bytes, end) = collect(body, limit, held, deadline.as_mut()).await;
    let failure = match end {
        Ok(BodyEnd::Complete) => return Some(Ok(bytes)),
        Ok(BodyEnd::Truncated { .. }) => return None,
        Ok(BodyEnd::TooLate) => {
            let detail = "its body did not come within the budget".to_owned();
            return Some(Err(Failure::RequestUnfit { detail }));
        }
        Ok(BodyEnd::TooLarge { limit }) => {
            let detail = format!("its body is larger than max_request_body ({limit} bytes)");
            Failure::RequestUnfit { detail }
        }
        Err(full) => Failure::Full { detail: full.to_string() },
    };
    drop(bytes);
    *held = worker.room.share();
    discard(body, deadline).await;
    Some(Err(failure))
}

/// Reads on and throws away, within bounds.
async fn discard(body: &mut Incoming, mut deadline: Pin<&mut Sleep>) {
    let mut left = MAX_DISCARDED;
    while left > 0 {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = deadline.as_mut() => return,
        };
        let Some(Ok(frame)) = frame else { return };
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
    }
}

/// A header's value, where it is text.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
