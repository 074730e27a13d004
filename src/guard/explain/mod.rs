//! Explaining a saved answer: where it breaks, and what the guard would make of it.
//!
//! [`paste::read`] turns what a terminal showed into an outcome; [`explain`] judges it as the
//! proxy would and puts the result into one sentence. Drawing it is the caller's.

pub mod catalogue;
pub mod paste;
mod terminal;

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::causes::Level;
use super::{
    Attempt, AttemptReason, CallFacts, Exchange, Finding, Judgement, Outcome, Policy, RequestFacts,
    SecondRequest, Verdict, follow_up, judge,
};
use crate::twilio::{Params, Slot};
use paste::Paste;

/// What is to be said of one answer.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Where it breaks, in one sentence (evidence as the backend sent it).
    pub sentence: String,
    /// What was judged.
    pub exchange: Exchange,
    /// How it was judged.
    pub judgement: Judgement,
    /// What the guard would ask the backend before it judges, if anything.
    pub second: Option<SecondRequest>,
}

impl Explanation {
    /// Whether there is something to fix: anything but an answer that Twilio takes as it is.
    pub fn found_something(&self) -> bool {
        self.second.is_some()
            || self.judgement.verdict != Verdict::Untouched
            || self.faults().next().is_some()
    }

    /// The findings that make Twilio's caller suffer.
    pub fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.judgement.findings.iter().filter(|finding| finding.cause.level == Level::Fault)
    }
}

/// The request that a pasted answer is assumed to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// Path and query.
    pub target: String,
    /// The Host header.
    pub host: Option<String>,
}

impl Asked {
    /// A POST to `/` in this slot.
    pub fn in_slot(slot: Slot) -> Self {
        Self { slot, target: "/".to_owned(), host: None }
    }
}

/// Explains a pasted answer under a policy. Total, like the judge.
pub fn explain(paste: &Paste, asked: &Asked, policy: &Policy) -> Explanation {
    let exchange = exchange(paste, asked);
    let second = follow_up(&exchange.request, &exchange.attempts, &exchange.outcome, policy);
    let judgement = judge(&exchange, policy);
    let sentence = sentence(&judgement);
    Explanation { sentence, exchange, judgement, second }
}

fn exchange(paste: &Paste, asked: &Asked) -> Exchange {
    let text = |name: &http::HeaderName| match &paste.outcome {
        Outcome::Answered(answer) => {
            answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        }
        Outcome::Failed(_) => None,
    };
    let attempt = Attempt {
        method: Method::POST,
        target: asked.target.clone(),
        reason: AttemptReason::First,
        status: match &paste.outcome {
            Outcome::Answered(answer) => Some(answer.status),
            Outcome::Failed(_) => None,
        },
        location: text(&http::header::LOCATION),
        allow: text(&http::header::ALLOW),
    };
    Exchange {
        slot: asked.slot,
        request: RequestFacts {
            method: Method::POST,
            target: asked.target.clone(),
            host: asked.host.clone(),
            has_authorization: false,
            params: params(asked.slot),
            body: Bytes::new(),
        },
        attempts: vec![attempt],
        outcome: paste.outcome.clone(),
        elapsed: Duration::ZERO,
        call: CallFacts::default(),
    }
}

/// The caller is assumed to be still on the line: the case in which an answer matters.
fn params(slot: Slot) -> Params {
    if !slot.is_voice() {
        return Params::default();
    }
    [("CallStatus".to_owned(), "in-progress".to_owned())].into_iter().collect()
}

fn sentence(judgement: &Judgement) -> String {
    let fault = judgement.findings.iter().find(|finding| finding.cause.level == Level::Fault);
    if let Some(finding) = fault {
        return said_of(finding);
    }
    match (judgement.verdict, judgement.findings.first()) {
        (Verdict::Untouched, None) => "Twilio takes this answer as it is.".to_owned(),
        (Verdict::Untouched, Some(warning)) => {
            format!("Twilio takes this answer, with a warning: {}", said_of(warning))
        }
        (_, Some(warning)) => format!("Twilio may take this answer, but: {}", said_of(warning)),
        (verdict, None) => format!("The guard would have this answer {}.", verdict.name()),
    }
}

fn said_of(finding: &Finding) -> String {
    let what = finding.cause.explain.trim_end_matches('.');
    let place = finding.place.map(|place| format!(" at {place}")).unwrap_or_default();
    let evidence = finding.evidence.trim();
    if evidence.is_empty() {
        format!("{what}{place}.")
    } else {
        format!("{what}{place}: {evidence}")
    }
}
