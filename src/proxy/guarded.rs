//! A guarded request: forward, collect, judge, deliver, record.

use std::sync::Arc;
use std::time::Duration;

use http::Response;

use super::asked::Asked;
use super::body::ResponseBody;
use super::exchange::{Gathered, exchange};
use super::service::Inbound;
use super::worker::Worker;
use super::{deliver, judging, noting, routing};
use crate::config::route::Route;
use crate::guard::{CallFacts, DeliveryKind, Exchange, Judgement, Policy, Verdict, judge};
use crate::incidents::traffic::Counted;
use crate::incidents::{Incident, Sent, new_id};
use crate::telemetry::metrics::Phase;
use crate::twilio::Slot;

/// Answers a guarded request; `None` when the client broke off before its request was complete.
///
/// `fixed`: the slot that its route fixes.
pub(super) async fn answer(
    worker: &Worker,
    route: &Arc<Route>,
    inbound: Inbound,
    fixed: Option<Slot>,
) -> Option<Response<ResponseBody>> {
    let _open = worker.open.mark();
    let start = inbound.start;
    // Asked once: a switch of the mode holds for whole requests.
    let policy = &**route.policy.current();
    let mut asked = Asked::read(worker, inbound).await?;
    let authenticity = match asked.admit(worker) {
        Ok(checked) => checked.authenticity,
        Err(refusal) => return Some(refusal),
    };
    let question = routing::question(&worker.config, route, &asked.parts, &asked.params, fixed);
    let (slot, role) = worker.calls.decide(&question)?;
    let call = CallFacts { signature: authenticity, ..worker.calls.facts(&asked.params, role) };
    let Gathered { exchange, sent, upstream, spelling } =
        exchange(worker, route, policy, asked, slot, call).await;
    let (judgement, exchange) = judging::judge_safely(exchange, policy, judge);
    worker.recorder.fell_back(&exchange, &worker.redaction);
    let is_changed = judgement.verdict != Verdict::Untouched && !policy.observe;
    if is_changed {
        note_steering(worker, policy, &exchange, &judgement);
    }
    worker.tally.answer(judgement.verdict, policy.observe);
    let causes: Vec<_> = judgement.findings.iter().map(|finding| finding.cause.slug).collect();
    let outcome = match judgement.delivery.kind {
        DeliveryKind::Refusal => "failed",
        _ => judgement.verdict.name(),
    };
    worker.metrics.answer(outcome, exchange.slot.name(), &causes, start.elapsed(), upstream);
    for sent in &sent {
        note_phases(worker, sent);
    }
    worker.recorder.count(&route.name, counted(&judgement), upstream);
    if judgement.verdict == Verdict::Untouched && judgement.findings.is_empty() {
        noting::note(worker, &exchange, &judgement, policy, start.elapsed(), None);
        return Some(deliver::response(judgement.delivery, &exchange, spelling, None));
    }
    let (id, now) = new_id();
    noting::note(worker, &exchange, &judgement, policy, start.elapsed(), Some(id));
    let known_routes = noting::known_routes(worker, &judgement);
    let mark = is_changed.then(|| deliver::Mark::new(id, &judgement, &exchange.outcome));
    let response = deliver::response(judgement.delivery.clone(), &exchange, spelling, mark);
    worker.recorder.offer(Incident {
        id,
        time_ms: now.saturating_sub(millis(start.elapsed())),
        route: Arc::clone(route),
        exchange: Arc::new(exchange),
        judgement: Arc::new(judgement),
        sent,
        upstream_duration: upstream,
        budget_left: worker.config.budget.saturating_sub(start.elapsed()),
        redaction: worker.redaction.clone(),
        config_hash: Arc::clone(&worker.config.hash),
        known_routes,
    });
    Some(response)
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
