//! Incidents for tests: real exchanges, judged by the real judge.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use uuid::Uuid;

use super::Incident;
use crate::config::Upstream;
use crate::config::route::{Callbacks, PathPattern, Policies, Route};
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

    pub(super) fn incident(self) -> Incident {
        let first = attempt(Method::POST, &self.target, AttemptReason::First, None);
        let exchange = Exchange {
            slot: Slot::Voice,
            request: RequestFacts {
                method: Method::POST,
                target: self.target,
                host: Some("pbx.example.com".to_owned()),
                has_authorization: false,
                params: Params::from_form(self.form.as_bytes()),
                body: Bytes::from(self.form),
            },
            attempts: [first].into_iter().chain(self.further).collect(),
            outcome: self.outcome,
            elapsed: self.elapsed,
            call: CallFacts::default(),
        };
        let judgement = judge(&exchange, &self.policy);
        let route = Route {
            callbacks: Callbacks::default(),
            pattern: PathPattern::Exact(self.route.clone()),
            name: self.route,
            method: None,
            slot: SlotSetting::Auto,
            upstream: Upstream { host: "127.0.0.1".to_owned(), port: 9 },
            policy: Policies::new(self.policy),
        };
        let mut incident = Incident {
            id: id(),
            time_ms: 0,
            route: Arc::new(route),
            exchange: Arc::new(exchange),
            judgement: Arc::new(judgement),
            sent: Vec::new(),
            upstream_duration: self.elapsed,
            budget_left: Duration::from_secs(12),
            redaction: super::redact::Redaction::default(),
            config_hash: Arc::from("test"),
            known_routes: Vec::new(),
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
