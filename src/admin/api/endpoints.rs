//! From a request to its answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::door::Visitor;
use super::modes::{Modes, SwitchError};
use super::page;
use super::query::Query;
use super::reply::{Refusal, Reply, json};
use super::store::{Store, by_id, incidents, outbreaks, refusal};
use super::tail::Tails;
use crate::admin::Drain;
use crate::clock;
use crate::config::route::Mode;
use crate::incidents::stats::Stats;
use crate::incidents::store::Reader;
use crate::incidents::timeline::{CallStory, Live};

/// Longest SID that is looked up.
const MAX_SID: usize = 64;
/// Largest body of a request.
const MAX_BODY: usize = 4096;
/// Time for it.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the endpoints answer from.
#[derive(Debug)]
pub(super) struct Api {
    store: Arc<Store>,
    tails: Tails,
    modes: Modes,
    live: Live,
    drain: Option<Drain>,
}

/// The body of `PUT /api/drain`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draining {
    draining: bool,
}

/// The body of `PUT /api/mode`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    mode: Wanted,
    /// All routes if not given.
    route: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Enforce,
    Observe,
    Reset,
}

impl Api {
    /// Over the store in this state directory, where there is one.
    pub(super) fn new(state_dir: Option<PathBuf>, modes: Modes, live: Live) -> Self {
        let (store, tails) = (Arc::new(Store::new(state_dir)), Tails::default());
        Self { store, tails, modes, live, drain: None }
    }

    /// With the switch of draining.
    pub(super) fn draining(self, drain: Drain) -> Self {
        Self { drain: Some(drain), ..self }
    }

    fn drain(&self) -> Result<&Drain, Refusal> {
        let message = "this guard can't be drained";
        self.drain.as_ref().ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, message))
    }

    /// Answers a request, whatever it is.
    pub(super) async fn answer(&self, request: Request<Incoming>, visitor: &Visitor) -> Reply {
        let (parts, body) = request.into_parts();
        match self.try_answer(&parts, body, visitor).await {
            Ok(reply) => reply,
            Err(refusal) => refusal.into(),
        }
    }

    async fn try_answer(
        &self,
        parts: &Parts,
        body: Incoming,
        visitor: &Visitor,
    ) -> Result<Reply, Refusal> {
        visitor.access.check_names(parts, visitor.own)?;
        let path = parts.uri.path();
        // The page tells nothing; a browser can't show a token before it was given one.
        if path != "/" {
            visitor.access.check_token(&parts.headers, visitor.peer)?;
        }
        let endpoint = Endpoint::of(path).ok_or_else(|| {
            let message = format!("expected one of {}", page::PATHS.join(", "));
            Refusal::new(StatusCode::NOT_FOUND, message)
        })?;
        endpoint.check(&parts.method)?;
        if parts.method == Method::PUT {
            let bytes = change(parts, body).await?;
            return match endpoint {
                Endpoint::Drain => self.switch_drain(&bytes, visitor),
                _ => self.switch(&bytes, visitor),
            };
        }
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let now_ms = clock::now_ms();
        match endpoint {
            Endpoint::Page => Ok(page::page()),
            Endpoint::Outbreaks => {
                let ask = query.outbreaks(now_ms)?;
                Ok(json(StatusCode::OK, &self.store.filtered(ask, outbreaks).await?))
            }
            Endpoint::Incidents => {
                let ask = query.incidents(now_ms)?;
                Ok(json(StatusCode::OK, &self.store.filtered(ask, incidents).await?))
            }
            Endpoint::Incident(id) => {
                query.none()?;
                let id = id.to_owned();
                let found = self.store.read(move |reader| by_id(reader, &id)).await?;
                Ok(json(StatusCode::OK, &found?))
            }
            Endpoint::Call(sid) => {
                query.none()?;
                Ok(json(StatusCode::OK, &self.call(sid).await?))
            }
            Endpoint::Stats => {
                let (since_ms, route) = query.stats(now_ms)?;
                let read =
                    move |reader: &Reader| Stats::read(reader, since_ms, now_ms, route.as_deref());
                Ok(json(StatusCode::OK, &self.store.read(read).await?))
            }
            Endpoint::Tail => {
                let filter = self.store.filter(query.tail()?)?;
                let is_head = parts.method == Method::HEAD;
                let reply = self.tails.follow(&self.store, filter, &parts.headers, is_head).await?;
                visitor.follows.store(!is_head, Ordering::Relaxed);
                Ok(reply)
            }
            Endpoint::Drain => {
                query.none()?;
                Ok(drain_state(self.drain()?))
            }
            Endpoint::Mode => {
                query.none()?;
                Ok(json(StatusCode::OK, &json!({ "routes": self.modes.list() })))
            }
        }
    }

    /// What the guard remembers of a call, and what is on record of it.
    async fn call(&self, sid: &str) -> Result<CallStory, Refusal> {
        if sid.is_empty() || sid.len() > MAX_SID || !sid.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Err(Refusal::parameter("SID", "a whole SID of a call or message", sid));
        }
        let live = self.live.steps(sid);
        let remembered = CallStory::read(None, sid, live.clone()).map_err(refusal)?;
        let own = sid.to_owned();
        let told = self.store.read(move |reader| CallStory::read(Some(reader), &own, live)).await;
        match told.map(|story| story.or_else(|| remembered.clone())) {
            Ok(Some(story)) => Ok(story),
            Ok(None) => {
                let message = format!(
                    "neither the store nor this guard knows `{sid}`; steps are kept of calls in which something was wrong, and remembered of the latest ones"
                );
                Err(Refusal::new(StatusCode::NOT_FOUND, message))
            }
            // Without a store what is remembered is all there is.
            Err(refusal) => remembered.ok_or(refusal),
        }
    }

    fn switch_drain(&self, bytes: &[u8], visitor: &Visitor) -> Result<Reply, Refusal> {
        let wanted: Draining = serde_json::from_slice(bytes).map_err(|error| {
            let message = format!("expected {{\"draining\": true or false}}: {error}");
            Refusal::new(StatusCode::BAD_REQUEST, message)
        })?;
        let drain = self.drain()?;
        drain.set(wanted.draining, &visitor.peer.to_string());
        Ok(drain_state(drain))
    }

    fn switch(&self, bytes: &[u8], visitor: &Visitor) -> Result<Reply, Refusal> {
        let change: Change = serde_json::from_slice(bytes).map_err(|error| {
            let message = format!(
                "expected {{\"mode\": \"observe\", \"enforce\" or \"reset\"}}, and \"route\" for one route alone: {error}"
            );
            Refusal::new(StatusCode::BAD_REQUEST, message)
        })?;
        let mode = match change.mode {
            Wanted::Enforce => Some(Mode::Enforce),
            Wanted::Observe => Some(Mode::Observe),
            Wanted::Reset => None,
        };
        match self.modes.switch(mode, change.route.as_deref(), &visitor.peer.to_string()) {
            Ok(routes) => Ok(json(StatusCode::OK, &json!({ "routes": routes }))),
            Err(SwitchError { message, known }) => {
                Err(Refusal::new(StatusCode::NOT_FOUND, message).with("known", json!(known)))
            }
        }
    }
}

fn drain_state(drain: &Drain) -> Reply {
    let (draining, in_flight) = drain.state();
    json(StatusCode::OK, &json!({ "draining": draining, "in_flight": in_flight }))
}

/// The body of a change.
async fn change(parts: &Parts, body: Incoming) -> Result<Bytes, Refusal> {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "expected Content-Type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let collected = timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await;
    let bytes = match collected {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let message = format!("expected a whole body of at most {MAX_BODY} bytes");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
        Err(_) => {
            let message = "the body did not come in time";
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message));
        }
    };
    Ok(bytes)
}

/// What a path stands for.
#[derive(Debug, Clone, Copy)]
enum Endpoint<'p> {
    Page,
    Outbreaks,
    Incidents,
    Incident(&'p str),
    Call(&'p str),
    Stats,
    Tail,
    Mode,
    Drain,
}

impl<'p> Endpoint<'p> {
    fn of(path: &'p str) -> Option<Self> {
        Some(match path {
            "/" => Self::Page,
            "/api/outbreaks" => Self::Outbreaks,
            "/api/incidents" => Self::Incidents,
            "/api/stats" => Self::Stats,
            "/api/tail" => Self::Tail,
            "/api/mode" => Self::Mode,
            "/api/drain" => Self::Drain,
            _ => match path.strip_prefix("/api/calls/") {
                Some(sid) => Self::Call(sid),
                None => Self::Incident(path.strip_prefix("/api/incidents/")?),
            },
        })
    }

    fn check(self, method: &Method) -> Result<(), Refusal> {
        let allowed = match (self, method) {
            (_, &Method::GET | &Method::HEAD) | (Self::Mode | Self::Drain, &Method::PUT) => {
                return Ok(());
            }
            (Self::Mode | Self::Drain, _) => "GET, HEAD, PUT",
            _ => "GET, HEAD",
        };
        let message = format!("expected one of {allowed}");
        Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, message).allow(allowed))
    }
}
