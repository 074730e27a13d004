//! A guarded request: forward, collect, judge, deliver, record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use uuid::Uuid;

use super::asked::Asked;
use super::attempts;
use super::body::{RequestBody, ResponseBody};
use super::caught::{caught, caught_now};
use super::exchange::{Gathered, exchange};
use super::refuse::Refusal;
use super::service::Inbound;
use super::spare::Spare;
use super::tally::Open;
use super::worker::Worker;
use super::{deliver, judging, noting, pass, routing};
use crate::calls::Calls;
use crate::config::SharedPolicy;
use crate::config::route::{Callbacks, Route};
use crate::guard::{
    CallFacts, DeliveryKind, Exchange, Failure, Judgement, Outcome, Policy, Verdict, judge_in_full,
};
use crate::incidents::redact::Redaction;
use crate::incidents::traffic::Counted;
use crate::incidents::{Incident, Sent, new_id};
use crate::telemetry::metrics::{Metrics, Phase};
use crate::twilio::Slot;

/// Beyond the budget an answer waits so long to be judged: Twilio's patience is not much longer.
const LONGEST_QUEUE: Duration = Duration::from_secs(1);

/// What a request is doing, for the log.
const READING: &str = "reading a webhook";

/// A guarded request, read whole, of which it is known what Twilio does with its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) route: Arc<Route>,
    /// Asked once: a switch of the mode holds for whole requests.
    pub(super) policy: SharedPolicy,
    pub(super) asked: Asked,
    pub(super) slot: Slot,
    pub(super) call: CallFacts,
    /// Counts it among what is not over yet.
    pub(super) open: Open,
}

/// Answers a guarded request; `None` when the client broke off before its request was complete.
///
/// `fixed`: the slot that its route fixes.
pub(super) async fn answer(
    worker: &Arc<Worker>,
    route: &Arc<Route>,
    inbound: Inbound,
    fixed: Option<Slot>,
) -> Option<Response<ResponseBody>> {
    let open = worker.open.mark();
    let policy = Arc::clone(route.policy.current());
    let spare = Spare::of_head(route, &policy, &inbound.parts, fixed, inbound.start);
    let job = |asked, open| known(worker, route, policy, asked, fixed, open);
    // Most requests have come whole.
    let at_hand = caught_now(&worker.metrics, READING, || match Asked::at_hand(worker, inbound) {
        Ok(asked) => Ok(job(asked, open)),
        Err(inbound) => Err((inbound, open, job)),
    });
    let known = match at_hand {
        Ok(Ok(known)) => Ok(known),
        Ok(Err((inbound, open, job))) => {
            let read = async { job(Asked::read(worker, *inbound).await?, open) };
            Box::pin(caught(&worker.metrics, READING, read)).await
        }
        Err(panic) => Err(panic),
    };
    let job = match known {
        Ok(known) => match known? {
            Ok(job) => job,
            Err(refusal) => return Some(refusal.into_response()),
        },
        Err(panic) => {
            // What is rare is boxed here and below: every request's future is as large as the
            // largest of its parts.
            let stood_in = Box::pin(spare.panicked(worker, &panic)).await;
            return Some(stood_in.map(ResponseBody::full));
        }
    };
    drop(spare);
    if job.slot == Slot::Callback && route.callbacks == Callbacks::Pass && job.asked.body.is_ok() {
        let Asked { parts, body, sender, .. } = job.asked;
        let body = RequestBody::full(body.unwrap_or_default());
        let passed = pass::answer(worker, route, parts, body, sender, None);
        return Some(Box::pin(passed).await);
    }
    Some(attempts::answer(worker, job).await.map(ResponseBody::full))
}

/// A request with what Twilio does with its answer, and what is known of its call; the error: it
/// goes no further. `None` where it is no webhook after all.
fn known(
    worker: &Worker,
    route: &Arc<Route>,
    policy: SharedPolicy,
    mut asked: Asked,
    fixed: Option<Slot>,
    open: Open,
) -> Option<Result<Box<Job>, Refusal>> {
    let signature = match asked.admit(worker) {
        Ok(checked) => checked.authenticity,
        Err(refusal) => return Some(Err(refusal)),
    };
    let params = &asked.facts.params;
    let question = routing::question(&worker.config, route, &asked.parts, params, fixed);
    let (slot, role) = worker.calls.decide(&question, asked.start)?;
    let call = CallFacts { signature, ..worker.calls.facts(params, role, asked.start) };
    let route = Arc::clone(route);
    // Boxed: it goes through many hands.
    Some(Ok(Box::new(Job { route, policy, asked, slot, call, open })))
}

impl Job {
    /// Asks the backend within the budget, judges and records.
    pub(super) async fn conclude(self: Box<Self>, worker: &Worker) -> Response<Bytes> {
        let start = self.asked.start;
        let Self { route, policy, asked, slot, call, open: _open } = *self;
        let limit = worker.config.budget;
        let gathered = exchange(worker, &route, &policy, asked, slot, call, limit).await;
        Done { route, policy, start, gathered, id: None }.settle(worker).await
    }
}

/// A guarded request and all that the backend gave for it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) route: Arc<Route>,
    pub(super) policy: SharedPolicy,
    pub(super) start: Instant,
    pub(super) gathered: Box<Gathered>,
    /// The incident's, where Twilio was told it before it was known whether there is one.
    pub(super) id: Option<Uuid>,
}

impl Done {
    /// Judges, counts and records; gives what leaves for Twilio.
    pub(super) async fn settle(mut self, worker: &Worker) -> Response<Bytes> {
        let exchange = &mut self.gathered.exchange;
        let fit = judging::judge_fit(&worker.metrics, &worker.seen, exchange, &self.policy);
        if let Some(judgement) = fit {
            learn(&worker.metrics, &worker.calls, exchange, &judgement, &self.policy);
            return self.delivered(worker, judgement);
        }
        // Boxed: most answers are fit, and every request's future is as large as the largest of its
        // parts.
        let judged = Box::pin(judged(worker, self.gathered.exchange, &self.policy, self.start));
        let (judgement, exchange) = judged.await;
        self.gathered.exchange = exchange;
        self.delivered(worker, judgement)
    }

    /// Counts and records; gives what leaves for Twilio.
    fn delivered(self, worker: &Worker, judgement: Judgement) -> Response<Bytes> {
        let Self { route, policy, start, gathered, id } = self;
        let Gathered { exchange, sent, upstream, spelling, asked, held: _held, .. } = *gathered;
        let policy = &*policy;
        worker.recorder.fell_back(&exchange, &worker.redaction);
        let is_changed = judgement.verdict != Verdict::Untouched && !policy.observe;
        if is_changed {
            note_steering(worker, policy, &exchange, &judgement);
        }
        worker.tally.answer(judgement.verdict, policy.observe);
        let outcome = match judgement.delivery.kind {
            DeliveryKind::Refusal => "failed",
            _ => judgement.verdict.name(),
        };
        let (slot, took) = (exchange.slot.name(), start.elapsed());
        let causes = judgement.findings.iter().map(|finding| finding.cause.slug);
        worker.metrics.answer(outcome, slot, &causes, took, upstream);
        for sent in &sent {
            note_phases(worker, sent);
        }
        worker.recorder.count(&route.name, counted(&judgement), upstream);
        if judgement.verdict == Verdict::Untouched && judgement.findings.is_empty() {
            noting::note(worker, &exchange, &judgement, took, None);
            return deliver::response(judgement.delivery, &exchange, spelling, None);
        }
        let (new, now) = new_id();
        let id = id.unwrap_or(new);
        noting::note(worker, &exchange, &judgement, took, Some(id));
        let known_routes = noting::known_routes(worker, &judgement);
        let mark = is_changed.then(|| deliver::Mark::new(id, &judgement, &exchange.outcome));
        let response = deliver::response(judgement.delivery.clone(), &exchange, spelling, mark);
        worker.recorder.offer(Incident {
            id,
            time_ms: now.saturating_sub(millis(start.elapsed())),
            upstream: asked.as_ref().unwrap_or_else(|| route.upstream()).authority(),
            route,
            exchange: Arc::new(exchange),
            judgement: Arc::new(judgement),
            sent,
            upstream_duration: upstream,
            budget_left: worker.config.budget.saturating_sub(start.elapsed()),
            redaction: Redaction::clone(&worker.redaction),
            config_hash: Arc::clone(&worker.config.hash),
            known_routes,
        });
        response
    }
}

/// Judges what is not fit at first sight, and learns from what is to be delivered; of a large answer
/// beside the worker. One whose turn does not come in time counts as not there.
async fn judged(
    worker: &Worker,
    mut exchange: Exchange,
    policy: &SharedPolicy,
    start: Instant,
) -> (Judgement, Exchange) {
    let mut turn = None;
    if judging::is_long(&exchange.outcome) {
        let now = Instant::now();
        let until = (start + worker.config.budget).max(now + LONGEST_QUEUE);
        turn = worker.beside.turn((!policy.observe).then_some(until)).await;
        if turn.is_none() {
            let waited = now.elapsed().as_millis();
            let detail = format!("its answer waited {waited} ms to be judged, behind others");
            exchange.outcome = Outcome::Failed(Failure::Full { detail });
        }
    }
    let Some(turn) = turn else {
        return judged_now(&worker.metrics, &worker.calls, exchange, policy);
    };
    let (metrics, calls) = (worker.metrics.clone(), Arc::clone(&worker.calls));
    let policy = Arc::clone(policy);
    turn.run(move || judged_now(&metrics, &calls, exchange, &policy)).await
}

fn judged_now(
    metrics: &Metrics,
    calls: &Calls,
    exchange: Exchange,
    policy: &Policy,
) -> (Judgement, Exchange) {
    let (judgement, exchange) = judging::judge_safely(metrics, exchange, policy, judge_in_full);
    learn(metrics, calls, &exchange, &judgement, policy);
    (judgement, exchange)
}

/// Learns from an answer. Whatever is learnt or not, it has to leave.
fn learn(
    metrics: &Metrics,
    calls: &Calls,
    exchange: &Exchange,
    judgement: &Judgement,
    policy: &Policy,
) {
    let learn = || calls.learn(exchange, judgement, policy);
    let _ = caught_now(metrics, "learning from an answer", learn);
}

/// Counts the phases that came to their end.
fn note_phases(worker: &Worker, sent: &Sent) {
    worker.metrics.phase(Phase::Connect, sent.connect);
    if let Some(first) = sent.first_byte {
        worker.metrics.phase(Phase::FirstByte, first.saturating_sub(sent.connect));
        worker.metrics.phase(Phase::Body, sent.total.saturating_sub(first));
    }
}

/// What an answer counts as on its route.
fn counted(judgement: &Judgement) -> Counted {
    if judgement.withheld.is_some() {
        return Counted::WouldHave;
    }
    match (judgement.verdict, &judgement.delivery.kind) {
        (_, DeliveryKind::Refusal) => Counted::Failed,
        (Verdict::Repaired, _) => Counted::Repaired,
        (Verdict::Replaced, _) => Counted::Replaced,
        (Verdict::Untouched, _) => Counted::Untouched,
    }
}

/// Counts what steers the call instead of the backend, for the call-loop rule.
fn note_steering(worker: &Worker, policy: &Policy, exchange: &Exchange, judgement: &Judgement) {
    let steers = match &judgement.delivery.kind {
        DeliveryKind::Fallback(name) => {
            policy.fallbacks.of(exchange.slot).is_some_and(|own| own.steers && own.name == *name)
        }
        DeliveryKind::Redirect => true,
        _ => false,
    };
    if let (true, Some(sid)) = (steers, exchange.request.params.get("CallSid")) {
        worker.calls.steered(sid);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
