//! The judge's word on an answer that was fetched.

use std::sync::Arc;

use http::header::{ALLOW, LOCATION};

use super::client::{Ask, Fetched};
use crate::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, CallFacts, Exchange, Judgement, Oddities, Outcome,
    Policy, RequestFacts, judge,
};
use crate::twilio::{Slot, limits};

/// Judges an answer as the guard would in this slot; what it would repair or replace is a fault.
pub fn assess(asked: &Ask, answer: &Fetched, slot: Slot) -> Judgement {
    let text = |name| {
        let value: &http::HeaderValue = answer.headers.get(name)?;
        Some(value.to_str().ok()?.to_owned())
    };
    let host = asked.url.authority();
    let exchange = Exchange {
        slot,
        request: Arc::new(RequestFacts {
            method: asked.method.clone(),
            target: asked.url.target.clone(),
            host: Some(host.clone()),
            has_authorization: asked.url.userinfo.is_some(),
            params: asked.params.iter().cloned().collect(),
            body: bytes::Bytes::new(),
        }),
        attempts: vec![Attempt {
            method: answer.method.clone(),
            target: answer.url.target.clone(),
            reason: AttemptReason::First,
            status: Some(answer.status),
            location: text(LOCATION),
            allow: text(ALLOW),
        }],
        outcome: Outcome::Answered(Answer {
            status: answer.status,
            headers: answer.headers.clone(),
            body: answer.body.clone(),
            end: BodyEnd::Complete,
            odd: Oddities::default(),
        }),
        elapsed: answer.link.total.min(limits::WEBHOOK_TIMEOUT),
        call: CallFacts::default(),
    };
    let origin = format!("{}://{host}", asked.url.scheme.name());
    let policy = Policy {
        own_hosts: vec![host.to_ascii_lowercase()],
        public_origin: Some(origin),
        ..Policy::default()
    };
    judge(&exchange, &policy)
}
