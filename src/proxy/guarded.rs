//! A guarded request: forward, collect, judge, deliver, record.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ALLOW, AUTHORIZATION, HOST, HeaderName, LOCATION};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, Response, StatusCode};
use tokio::time::{Sleep, sleep_until};

use super::body::{ResponseBody, collect, collect_unframed};
use super::forward::Outbound;
use super::service::{Inbound, InboundBody};
use super::upstream::{Client, OddHeads, Progress};
use super::worker::Worker;
use super::{deliver, judging, routing};
use crate::config::route::Route;
use crate::guard::{
    Answer, Attempt, BodyEnd, CallFacts, DeliveryKind, Exchange, Failure, Judgement, Oddities,
    Outcome, Policy, RequestFacts, Verdict, begins_as_chunk, follow_up, is_whole, judge,
};
use crate::incidents::traffic::Counted;
use crate::incidents::{Incident, Sent, new_id};
use crate::telemetry::metrics::Phase;
use crate::twilio::{Params, Slot};

/// More of a request that is too large is read and thrown away, so that its sender reads the
/// answer instead of a reset.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// All that the backend gave, and how the original looked on the wire.
pub(super) struct Gathered {
    pub(super) exchange: Exchange,
    sent: Vec<Sent>,
    upstream: Duration,
    spelling: Extensions,
}

/// Answers a guarded request; `None` when the client broke off before its request was complete.
///
/// `slot_of` decides the slot by the request's parameters.
pub(super) async fn answer(
    worker: &Worker,
    route: &Arc<Route>,
    inbound: Inbound,
    slot_of: impl FnOnce(&Params) -> Option<Slot>,
) -> Option<Response<ResponseBody>> {
    let _open = worker.open.mark();
    let start = inbound.start;
    // Asked once: a switch of the mode holds for whole requests.
    let policy = &**route.policy.current();
    let Gathered { exchange, sent, upstream, spelling } =
        exchange(worker, route, policy, inbound, slot_of).await?;
    let (judgement, exchange) = judging::judge_safely(exchange, policy, judge);
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
        return Some(deliver::response(judgement.delivery, &exchange, spelling, None));
    }
    let (id, now) = new_id();
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

/// Everything between the request's head and the end of the backend's last answer.
pub(super) async fn exchange(
    worker: &Worker,
    route: &Route,
    policy: &Policy,
    inbound: Inbound,
    slot_of: impl FnOnce(&Params) -> Option<Slot>,
) -> Option<Gathered> {
    let Inbound { parts, body, sender, start } = inbound;
    let mut deadline = pin!(sleep_until((start + worker.config.budget).into()));
    let body = match body {
        InboundBody::Read(body) => Ok(body),
        InboundBody::Coming(mut body) => {
            let limit = worker.config.max_request_body;
            match collect(&mut body, limit, deadline.as_mut()).await {
                (bytes, BodyEnd::Complete) => Ok(bytes),
                (_, BodyEnd::Truncated { .. }) => return None,
                (_, BodyEnd::TooLarge { limit }) => {
                    discard(&mut body, deadline.as_mut()).await;
                    Err(format!("its body is larger than max_request_body ({limit} bytes)"))
                }
                (_, BodyEnd::TooLate) => Err("its body did not come within the budget".to_owned()),
            }
        }
    };
    let params = routing::params(&parts, body.as_deref().unwrap_or_default());
    let slot = slot_of(&params)?;
    let call = CallFacts {
        steering_fallbacks: params.get("CallSid").map_or(0, |sid| worker.steering.given(sid)),
    };
    let request = RequestFacts {
        method: parts.method.clone(),
        target: parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),
        host: text(&parts.headers, &HOST),
        has_authorization: parts.headers.contains_key(AUTHORIZATION),
        params,
        body: body.clone().unwrap_or_default(),
    };
    let mut gathered = Gathered {
        exchange: Exchange {
            slot,
            request,
            attempts: Vec::new(),
            outcome: Outcome::Failed(Failure::Internal { detail: String::new() }),
            elapsed: Duration::ZERO,
            call,
        },
        sent: Vec::new(),
        upstream: Duration::ZERO,
        spelling: Extensions::new(),
    };
    match body {
        Err(detail) => {
            gathered.exchange.outcome = Outcome::Failed(Failure::RequestUnfit { detail });
        }
        Ok(body) => {
            let mut out = Outbound::first(worker, route, parts, body, sender);
            loop {
                ask(worker, route, &mut out, &mut gathered, start, deadline.as_mut()).await;
                let Exchange { request, attempts, outcome, .. } = &gathered.exchange;
                if policy.observe || start.elapsed() >= worker.config.budget {
                    break;
                }
                let decide = || follow_up(request, attempts, outcome, policy);
                let Some(second) = judging::or_none(decide) else { break };
                if !out.become_second(second) {
                    break;
                }
            }
        }
    }
    gathered.exchange.elapsed = start.elapsed();
    Some(gathered)
}

/// Sends one request to the backend, and notes what came of it.
async fn ask(
    worker: &Worker,
    route: &Route,
    out: &mut Outbound,
    gathered: &mut Gathered,
    start: Instant,
    deadline: Pin<&mut Sleep>,
) {
    if let (Some(earlier), Outcome::Answered(answer)) =
        (gathered.sent.last_mut(), &gathered.exchange.outcome)
    {
        earlier.answer = Some(answer.clone());
    }
    let began = Instant::now();
    let limit = worker.config.max_answer_body;
    let mut sent = out.sent();
    sent.started = began - start;
    let (outcome, spelling) = attempt(&worker.client, route, out, &mut sent, limit, deadline).await;
    sent.total = began.elapsed();
    gathered.upstream += sent.total;
    gathered.sent.push(sent);
    let answer = match &outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Failed(_) => None,
    };
    gathered.exchange.attempts.push(Attempt {
        method: out.method.clone(),
        target: out.target.as_str().to_owned(),
        reason: out.reason,
        status: answer.map(|answer| answer.status),
        location: answer.and_then(|answer| text(&answer.headers, &LOCATION)),
        allow: answer.and_then(|answer| text(&answer.headers, &ALLOW)),
    });
    gathered.exchange.outcome = outcome;
    gathered.spelling = spelling;
}

async fn attempt(
    client: &Client,
    route: &Route,
    out: &Outbound,
    sent: &mut Sent,
    limit: usize,
    mut deadline: Pin<&mut Sleep>,
) -> (Outcome, Extensions) {
    let (progress, began) = (Progress::default(), Instant::now());
    let head = tokio::select! {
        biased;
        head = client.send(&route.upstream, out.request(), out.max_age(), OddHeads::Taken, &progress) => head,
        () = deadline.as_mut() => {
            Err(match progress.connected() {
                Some(_) => Failure::HeadersTooLate,
                None => Failure::ConnectTimeout,
            })
        }
    };
    sent.connect = progress.connected().unwrap_or_else(Instant::now) - began;
    let head = match head {
        Ok(head) => head,
        Err(failure) => return (Outcome::Failed(failure), Extensions::new()),
    };
    sent.first_byte = Some(began.elapsed());
    if head.response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let detail = "101 Switching Protocols, which nobody asked for".to_owned();
        let received = head.received();
        return (Outcome::Failed(Failure::NotHttp { received, detail }), Extensions::new());
    }
    let odd = head.odd();
    let (parts, mut body) = head.response.into_parts();
    let (mut bytes, mut end) = if odd.framing_is_lost {
        collect_unframed(&mut body, limit, deadline, is_whole).await
    } else {
        collect(&mut body, limit, deadline).await
    };
    bytes.truncate(limit);
    if end == BodyEnd::Complete && odd == Oddities::default() {
        if !begins_as_chunk(&bytes) {
            head.lease.give_back();
        }
    } else if end == BodyEnd::Complete {
        end = odd.end_of(bytes.len());
    }
    let answer = Answer { status: parts.status, headers: parts.headers, body: bytes, end, odd };
    (Outcome::Answered(answer), parts.extensions)
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
        worker.steering.note(sid, Instant::now());
    }
}

/// Reads on and throws away, within bounds.
async fn discard(body: &mut hyper::body::Incoming, mut deadline: Pin<&mut Sleep>) {
    let mut left = MAX_DISCARDED;
    while left > 0 {
        let (bytes, end) = collect(body, 64 * 1024, deadline.as_mut()).await;
        if !matches!(end, BodyEnd::TooLarge { .. }) {
            return;
        }
        left = left.saturating_sub(bytes.len());
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
