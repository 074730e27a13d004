//! Incidents for tests: real exchanges, judged by the real judge.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use uuid::Uuid;

use super::Incident;
use crate::config::Upstream;
use crate::config::route::{Callbacks, PathPattern, Policies, Route};
use crate::config::upstreams::Upstreams;
use crate::guard::call::{Belief, HandedOut, Role, StreamState};
use crate::guard::stream::{Side, StreamEnd, StreamReport};
use crate::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, CallFacts, Exchange, Failure, Outcome, Policy,
    RequestFacts, judge,
};
use crate::twilio::{Params, Slot, SlotSetting};

/// What an incident is made of.
pub(super) struct Sample {
    route: String,
    target: String,
    form: String,
    headers: HeaderMap,
    outcome: Outcome,
    further: Vec<Attempt>,
    elapsed: Duration,
    policy: Policy,
    slot: Slot,
    call: CallFacts,
    known: Vec<String>,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            route: "/voice".to_owned(),
            target: "/voice".to_owned(),
            form: "CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=ringing".to_owned(),
            headers: HeaderMap::new(),
            outcome: Outcome::Failed(Failure::ConnectTimeout),
            further: Vec::new(),
            elapsed: Duration::from_millis(184),
            policy: Policy::default(),
            slot: Slot::Voice,
            call: CallFacts::default(),
            known: Vec::new(),
        }
    }
}

impl Sample {
    pub(super) fn route(mut self, route: &str) -> Self {
        route.clone_into(&mut self.route);
        self
    }

    pub(super) fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    pub(super) fn form(mut self, form: &str) -> Self {
        form.clone_into(&mut self.form);
        self
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    pub(super) fn body(mut self, status: u16, kind: &str, body: impl AsRef<[u8]>) -> Self {
        self = self.header("content-type", kind);
        self.outcome = Outcome::Answered(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: std::mem::take(&mut self.headers),
            body: Bytes::copy_from_slice(body.as_ref()),
            end: BodyEnd::Complete,
            odd: crate::guard::Oddities::default(),
        });
        self
    }

    pub(super) fn refused(mut self) -> Self {
        self.outcome = Outcome::Failed(Failure::Refused { address: "127.0.0.1:9".to_owned() });
        self
    }

    pub(super) fn attempt(
        mut self,
        target: &str,
        reason: AttemptReason,
        status: StatusCode,
    ) -> Self {
        self.further.push(attempt(Method::GET, target, reason, Some(status)));
        self
    }

    pub(super) fn elapsed(mut self, elapsed: Duration) -> Self {
        self.elapsed = elapsed;
        self
    }

    pub(super) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(super) fn slot(mut self, slot: Slot) -> Self {
        self.slot = slot;
        self
    }

    pub(super) fn call(mut self, change: impl FnOnce(&mut CallFacts)) -> Self {
        change(&mut self.call);
        self
    }

    /// Handed out so by a document of this call.
    pub(super) fn role(self, element: &str, attribute: &str, parent: &str) -> Self {
        let handed_out = HandedOut {
            element: element.to_owned(),
            attribute: Some(attribute.to_owned()),
            parent: parent.to_owned(),
        };
        self.call(|call| {
            call.role = Role {
                belief: Belief::ThisCall,
                handed_out: Some(Arc::new(handed_out)),
                ..Role::default()
            };
        })
    }

    pub(super) fn known(mut self, routes: &[&str]) -> Self {
        self.known = routes.iter().map(|route| (*route).to_owned()).collect();
        self
    }

    /// The action of `<Connect>` that gave 204 after a stream that died at once.
    pub(super) fn stream_died() -> Self {
        let report = StreamReport {
            status: Some(101),
            has_started: true,
            duration: Duration::from_millis(312),
            end: StreamEnd::Closed { by: Side::Backend, code: Some(1000), reason: String::new() },
            ..StreamReport::default()
        };
        Self::default()
            .slot(Slot::Action)
            .route("/ended")
            .target("/ended")
            .form("CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=in-progress")
            .role("Connect", "action", "POST /incoming_call")
            .call(|call| call.stream = StreamState::Over(Box::new(report)))
            .status(204)
    }

    /// Without a body and its type.
    pub(super) fn status(mut self, status: u16) -> Self {
        self.outcome = Outcome::Answered(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: std::mem::take(&mut self.headers),
            body: Bytes::new(),
            end: BodyEnd::Complete,
            odd: crate::guard::Oddities::default(),
        });
        self
    }

    pub(super) fn incident(self) -> Incident {
        let first = attempt(Method::POST, &self.target, AttemptReason::First, None);
        let exchange = Exchange {
            slot: self.slot,
            request: Arc::new(RequestFacts {
                method: Method::POST,
                target: self.target,
                host: Some("pbx.example.com".to_owned()),
                has_authorization: false,
                params: Params::from_form(self.form.as_bytes()),
                body: Bytes::from(self.form),
            }),
            attempts: [first].into_iter().chain(self.further).collect(),
            outcome: self.outcome,
            elapsed: self.elapsed,
            call: self.call,
        };
        let judgement = judge(&exchange, &self.policy);
        let route = Route {
            callbacks: Callbacks::default(),
            retry: crate::config::route::Retry::default(),
            pattern: PathPattern::Exact(self.route.clone()),
            name: self.route,
            method: None,
            slot: SlotSetting::Auto,
            upstreams: Upstreams::one(Upstream::tcp("127.0.0.1", 9)),
            signature: crate::config::SignatureMode::Off,
            policy: Policies::new(self.policy),
        };
        let mut incident = Incident {
            id: id(),
            time_ms: 0,
            upstream: route.upstream().authority(),
            route: Arc::new(route),
            exchange: Arc::new(exchange),
            judgement: Arc::new(judgement),
            sent: Vec::new(),
            upstream_duration: self.elapsed,
            budget_left: Duration::from_secs(12),
            redaction: super::redact::Redaction::default(),
            config_hash: Arc::from("test"),
            known_routes: self.known.into(),
        };
        incident.know();
        incident
    }
}

/// A new incident's id.
pub(super) fn id() -> Uuid {
    Uuid::now_v7()
}

fn attempt(
    method: Method,
    target: &str,
    reason: AttemptReason,
    status: Option<StatusCode>,
) -> Attempt {
    Attempt { method, target: target.to_owned(), reason, status, location: None, allow: None }
}
