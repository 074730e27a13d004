//! A stream from its handshake on, and the record of what it came to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::config::Upstream;
use crate::config::route::Route;
use crate::guard::call::{Authenticity, CallFacts, StreamState};
use crate::guard::stream::{StreamEnd, StreamReport};
use crate::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, Exchange, Judgement, Oddities, Outcome, RequestFacts,
    judge,
};
use crate::incidents::redact::Redaction;
use crate::incidents::traffic::Counted;
use crate::incidents::{Incident, Sent, new_id};
use crate::proxy::asked::Seen;
use crate::proxy::deliver::Mark;
use crate::proxy::judging::judge_safely;
use crate::proxy::worker::Worker;
use crate::proxy::{noting, routing};
use crate::telemetry::streams::{Passed, StreamOutcome};
use crate::twilio::{Slot, SlotSetting};

/// A stream's handshake.
#[derive(Debug)]
pub(in crate::proxy) struct Opening {
    pub(super) worker: Arc<Worker>,
    pub(super) route: Arc<Route>,
    signature: Authenticity,
    request: Arc<RequestFacts>,
    /// When the handshake came.
    start: Instant,
    /// When its answer came.
    answered: Option<Duration>,
    /// The request to the backend.
    pub(super) sent: Sent,
    /// Who was asked.
    pub(super) upstream: Upstream,
}

impl Opening {
    pub(in crate::proxy) fn new(
        worker: &Arc<Worker>,
        route: &Arc<Route>,
        parts: &Parts,
        start: Instant,
    ) -> Self {
        let params = routing::params(parts, &[]);
        let request = Arc::new(Seen::of(parts).facts(params, bytes::Bytes::new()));
        let upstream = route.upstream().clone();
        let (worker, route) = (Arc::clone(worker), Arc::clone(route));
        let (signature, sent) = (Authenticity::Unchecked, Sent::default());
        Self { worker, route, signature, request, start, answered: None, sent, upstream }
    }

    /// The same, with what its signature says.
    pub(in crate::proxy) fn signed(self, signature: Authenticity) -> Self {
        Self { signature, ..self }
    }

    pub(super) fn path(&self) -> &str {
        self.request.path()
    }

    /// The answer to the handshake is here.
    pub(super) fn answered(&mut self) {
        self.answered = Some(self.start.elapsed());
    }

    /// What a stream came to that was never opened.
    pub(super) fn report_of(&self, outcome: &Outcome) -> StreamReport {
        let mut report = StreamReport { path: self.path().to_owned(), ..StreamReport::default() };
        match outcome {
            Outcome::Answered(answer) => report.note_answer(answer),
            Outcome::Failed(failure) => report.failure = Some(failure.clone()),
        }
        report
    }

    /// The call that the stream belongs to, as far as it can be known.
    pub(super) fn call_sid(&self, report: &StreamReport) -> Option<String> {
        let in_query = || self.request.params.get("CallSid").map(str::to_owned);
        let said = report.call_sid.clone().or_else(in_query);
        said.or_else(|| self.worker.calls.awaiting_stream(self.path()))
    }

    /// It is over: judged, counted, and recorded where something is to be said.
    pub(super) fn close(
        mut self,
        mut report: StreamReport,
        outcome: Outcome,
    ) -> (Judgement, Exchange, Option<Mark>) {
        let worker = Arc::clone(&self.worker);
        report.call_sid = self.call_sid(&report);
        if let Some(sid) = &report.call_sid {
            worker.calls.stream_over(sid, &report);
            if !self.request.params.has("CallSid") {
                let request = Arc::make_mut(&mut self.request);
                let own = [("CallSid", sid.as_str())];
                request.params = request.params.iter().chain(own).collect();
            }
        }
        if report.call_sid.is_none() && !report.has_started {
            worker.calls.stream_over_of_one(&report);
        }
        let is_configured = self.route.slot == SlotSetting::Fixed(Slot::Stream);
        let sid = report.call_sid.as_deref();
        let role = worker.calls.stream_role(self.path(), sid, is_configured);
        count(&worker, &report);
        let elapsed = self.answered.unwrap_or_else(|| self.start.elapsed());
        self.sent.total = elapsed;
        let call = CallFacts {
            stream: StreamState::Over(Box::new(report)),
            signature: self.signature.clone(),
            ..worker.calls.facts(&self.request.params, role, Instant::now())
        };
        let exchange = Exchange {
            slot: Slot::Stream,
            attempts: self.attempts(&outcome),
            request: Arc::clone(&self.request),
            outcome,
            elapsed,
            call,
        };
        let (judgement, exchange) =
            judge_safely(&worker.metrics, exchange, self.route.policy.current(), judge);
        let mark = self.record(&judgement, &exchange, elapsed);
        (judgement, exchange, mark)
    }

    fn attempts(&self, outcome: &Outcome) -> Vec<Attempt> {
        if self.sent.headers.is_empty() {
            return Vec::new();
        }
        let status = match outcome {
            Outcome::Answered(answer) => Some(answer.status),
            Outcome::Failed(_) => None,
        };
        vec![Attempt {
            method: self.request.method.clone(),
            target: self.request.target.clone(),
            reason: AttemptReason::First,
            status,
            location: None,
            allow: None,
        }]
    }

    fn record(self, judgement: &Judgement, exchange: &Exchange, elapsed: Duration) -> Option<Mark> {
        let worker = &self.worker;
        let is_answered = matches!(exchange.outcome, Outcome::Answered(_));
        let (outcome, counted) = if is_answered {
            ("untouched", Counted::Untouched)
        } else {
            ("failed", Counted::Failed)
        };
        let causes = judgement.findings.iter().map(|found| found.cause.slug);
        worker.tally.answer(judgement.verdict, false);
        worker.metrics.answer(outcome, Slot::Stream.name(), &causes, elapsed, elapsed);
        worker.recorder.count(&self.route.name, counted, elapsed);
        let took = self.start.elapsed();
        if judgement.findings.is_empty() {
            noting::note(worker, exchange, judgement, took, None);
            return None;
        }
        let (id, now) = new_id();
        noting::note(worker, exchange, judgement, took, Some(id));
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or_default();
        let sent = if exchange.attempts.is_empty() { Vec::new() } else { vec![self.sent] };
        worker.recorder.offer(Incident {
            id,
            time_ms: now.saturating_sub(since),
            route: Arc::clone(&self.route),
            upstream: self.upstream.authority(),
            exchange: Arc::new(exchange.clone()),
            judgement: Arc::new(judgement.clone()),
            sent,
            upstream_duration: elapsed,
            budget_left: worker.config.budget.saturating_sub(elapsed),
            redaction: Redaction::clone(&worker.redaction),
            config_hash: Arc::clone(&worker.config.hash),
            known_routes: Arc::default(),
        });
        Some(Mark::new(id, judgement, &exchange.outcome))
    }
}

/// The 101 that opened a stream.
pub(super) fn switch(headers: HeaderMap) -> Outcome {
    Outcome::Answered(Answer {
        status: StatusCode::SWITCHING_PROTOCOLS,
        headers,
        body: bytes::Bytes::new(),
        end: BodyEnd::Complete,
        odd: Oddities::default(),
    })
}

fn count(worker: &Worker, report: &StreamReport) {
    if report.upgrade_lost.is_some() {
        return;
    }
    let outcome = match report.end {
        StreamEnd::Refused if report.status.is_none() => StreamOutcome::Unreachable,
        StreamEnd::Refused => StreamOutcome::Refused,
        StreamEnd::Closed { .. } if report.ended_in_order() => StreamOutcome::Closed,
        StreamEnd::Closed { .. } => StreamOutcome::ClosedWithError,
        StreamEnd::Lost { .. } => StreamOutcome::Lost,
        StreamEnd::Stopped => StreamOutcome::Stopped,
        StreamEnd::Cut => StreamOutcome::Cut,
    };
    let [twilio, backend] = [report.inbound, report.outbound]
        .map(|flow| Passed { frames: flow.frames, bytes: flow.bytes });
    worker.metrics.streams().ended(outcome, twilio, backend);
}
