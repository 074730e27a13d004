//! What is sent again: which request, to which backend, judged under which route.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request as HttpRequest, Uri};
use uuid::Uuid;

use crate::cli::incidents::chosen::Chosen;
use crate::config::route::{Policies, Route};
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
    let policy =
        Policy { upstream_authority: to.host_header(), ..(**route.policy.configured()).clone() };
    Route { upstream: to.clone(), policy: Policies::new(policy), ..route.clone() }
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{self, Flags, Sources};
    use crate::incidents::record::{
        AttemptRecord, BodyRecord, DeliveryRecord, ParamRecord, Record, RequestRecord, Row,
    };
    use crate::incidents::store::StoredIncident;

    const CONFIG: &str = r#"
upstream = "http://127.0.0.1:5000"
public_url = "https://pbx.example.com"

[[route]]
path = "/voice/*"
upstream = "http://127.0.0.1:5001"

[[route]]
path = "/wait"
slot = "wait"
"#;

    fn configuration() -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, CONFIG).unwrap();
        let flags = Flags { config: Some(path), ..Flags::default() };
        let sources = Sources { flags, cwd: PathBuf::from("/"), ..Sources::default() };
        config::load(&sources).unwrap().config
    }

    fn planned(target: &str, slot: &str, to: Option<&Upstream>) -> Planned {
        let row = Row {
            id: Uuid::now_v7(),
            time_ms: 0,
            route: "/gone".to_owned(),
            slot: slot.to_owned(),
            method: "POST".to_owned(),
            path: target.to_owned(),
            outcome: "replaced".to_owned(),
            observe: false,
            cause: "html-page".to_owned(),
            causes: vec!["html-page".to_owned()],
            codes: vec![12100],
            upstream_ms: 1,
            budget_left_ms: 1,
            ..Row::default()
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let attempt = AttemptRecord {
            method: "POST".to_owned(),
            target: target.to_owned(),
            reason: "first".to_owned(),
            headers: vec![
                header("content-type", "application/x-www-form-urlencoded"),
                header("i-twilio-idempotency-token", "***"),
                header("x-twilio-signature", "***"),
            ],
            body_bytes: 5,
            started_ms: 0,
            connect_ms: 0,
            first_byte_ms: None,
            total_ms: 1,
            answer: None,
        };
        let mut params =
            vec![ParamRecord { name: "Digits".to_owned(), value: "***".to_owned(), masked: true }];
        if target.contains("x=1") {
            let value = "1".to_owned();
            params.push(ParamRecord { name: "x".to_owned(), value, masked: false });
        }
        let record = Record {
            row: row.clone(),
            findings: Vec::new(),
            request: RequestRecord { target: target.to_owned(), params, body_bytes: 9 },
            attempts: vec![attempt],
            failure: None,
            delivery: DeliveryRecord {
                status: 200,
                headers: Vec::new(),
                body: BodyRecord::default(),
                kind: "fallback".to_owned(),
                fallback: None,
            },
            withheld: None,
            upstream: "127.0.0.1:4999".to_owned(),
            guard_version: "0.1.0".to_owned(),
            config_hash: String::new(),
            capture: "masked".to_owned(),
        };
        let incident = StoredIncident { seq: 1, outbreak: row.id, whole: true, row };
        let chosen = Chosen { incident, record: Some(record), in_place_of: None };
        Planned::new(chosen, &configuration(), to)
    }

    #[test]
    fn the_route_is_the_one_that_serve_would_take_today() {
        let of = |target, slot| {
            let planned = planned(target, slot, None);
            let upstream = planned.route.upstream.authority();
            (planned.route.name.clone(), planned.slot, upstream)
        };
        let (one, other) = ("127.0.0.1:5001".to_owned(), "127.0.0.1:5000".to_owned());
        assert_eq!(of("/voice/a", "action"), ("/voice/*".to_owned(), Slot::Action, one));
        assert_eq!(of("/wait", "voice"), ("/wait".to_owned(), Slot::Wait, other.clone()));
        assert_eq!(of("/else", "messaging"), ("*".to_owned(), Slot::Messaging, other));
    }

    #[test]
    fn another_backend_takes_all_routes() {
        let to: Upstream = "http://127.0.0.1:7000".parse().unwrap();
        for target in ["/voice/a", "/wait", "/else"] {
            let planned = planned(target, "voice", Some(&to));
            assert_eq!(planned.route.upstream, to);
            assert_eq!(planned.route.policy.configured().upstream_authority, "127.0.0.1:7000");
        }
    }

    #[test]
    fn what_goes_out_is_signed_marked_and_new() {
        let planned = planned("/voice/a?x=1", "voice", None);
        let request = planned.request.unwrap();
        let token = AuthToken::new("12345").unwrap();
        let public = Some("https://pbx.example.com");
        let id = Uuid::now_v7();
        let signed = prepared(&request, id, Some(&token), public);
        let text = |name| signed.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert!(token.verifies(
            "https://pbx.example.com/voice/a?x=1",
            [("Digits", "1")],
            &text("x-twilio-signature")
        ));
        assert_eq!(text("twiml-guard-replay"), id.to_string());
        assert_ne!(text("i-twilio-idempotency-token"), "***");
        assert_eq!(signed.body(), "Digits=1");
        let unsigned = prepared(&request, id, None, public);
        assert!(!unsigned.headers().contains_key("x-twilio-signature"));
    }
}
