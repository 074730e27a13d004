//! What is sent again: which request, to which backend, judged under which route.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request as HttpRequest, Uri};
use uuid::Uuid;

use crate::cli::incidents::chosen::Chosen;
use crate::config::route::Route;
use crate::config::{Config, Upstream};
use crate::guard::Policy;
use crate::incidents::replay::Request;
use crate::twilio::signature::{AuthToken, HEADER};
use crate::twilio::{Slot, SlotSetting};

/// Marks a replayed request, for those who look: names the incident. Nobody has to know it.
const REPLAY: HeaderName = HeaderName::from_static("twiml-guard-replay");
/// Twilio's own; a backend that saw the recorded one may answer from memory.
const IDEMPOTENCY: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");

/// One incident to be replayed.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) chosen: Chosen,
    /// The request, or why there is none.
    pub(super) request: Result<Request, String>,
    pub(super) route: Arc<Route>,
    pub(super) slot: Slot,
}

impl Planned {
    /// As `serve` would treat the request under this configuration; sent to `to` where that is
    /// given.
    pub(super) fn new(chosen: Chosen, config: &Config, to: Option<&Upstream>) -> Self {
        let row = &chosen.incident.row;
        let request = match &chosen.record {
            Some(record) => Request::of(record).map_err(|unfit| unfit.to_string()),
            None => Err("no record of its outbreak is kept whole any more".to_owned()),
        };
        let matching = request.as_ref().ok().and_then(|request| {
            let path = request.target.path();
            config.routes.iter().find(|route| route.matches(&request.method, path))
        });
        let route = matching.unwrap_or(&config.default_route);
        let slot = match (route.slot, row.slot.parse()) {
            (SlotSetting::Fixed(slot), _) if slot != Slot::Stream => slot,
            (_, Ok(SlotSetting::Fixed(slot))) => slot,
            _ => Slot::Voice,
        };
        let route = match to {
            Some(to) => Arc::new(redirected(route, to)),
            None => Arc::clone(route),
        };
        Self { chosen, request, route, slot }
    }
}

fn redirected(route: &Route, to: &Upstream) -> Route {
    let policy = Policy { upstream_authority: to.authority(), ..(*route.policy).clone() };
    Route { upstream: to.clone(), policy: Arc::new(policy), ..route.clone() }
}

/// The request as it is handed to the transport; signed where there is a token.
pub(super) fn prepared(
    request: &Request,
    incident: Uuid,
    token: Option<&AuthToken>,
    public_url: Option<&str>,
) -> HttpRequest<Bytes> {
    let mut prepared = HttpRequest::new(request.body.clone());
    *prepared.method_mut() = request.method.clone();
    *prepared.uri_mut() = Uri::from(request.target.clone());
    let headers = prepared.headers_mut();
    headers.clone_from(&request.headers);
    if request.left_out.iter().any(|name| *name == IDEMPOTENCY.as_str()) {
        set(headers, IDEMPOTENCY, &Uuid::now_v7().to_string());
    }
    set(headers, REPLAY, &incident.to_string());
    if let Some(token) = token {
        let signature = token.sign(&request.url(public_url), request.pairs());
        if let Ok(name) = HeaderName::from_bytes(HEADER.as_bytes()) {
            set(headers, name, &signature);
        }
    }
    prepared
}

fn set(headers: &mut http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
