//! Everything between a guarded request and the end of the backend's last answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ALLOW, LOCATION};
use http::{Extensions, Method, StatusCode};

use super::alarms::Alarm;
use super::asked::{self, text};
use super::balance::{self, Asked, Manner};
use super::caught::caught_now;
use super::collect::{collect_answer, collect_unframed};
use super::forward::Outbound;
use super::judging;
use super::resigning::Signer;
use super::room::Held;
use super::upstream::Head;
use super::worker::Worker;
use crate::config::route::Route;
use crate::config::{SharedPolicy, Upstream};
use crate::guard::{
    Answer, Attempt, AttemptReason, BodyEnd, CallFacts, Exchange, Failure, Oddities, Outcome,
    Policy, RequestFacts, SecondRequest, begins_as_chunk, follow_up, is_whole, resign,
};
use crate::incidents::Sent;
use crate::telemetry::metrics::Metrics;
use crate::twilio::Slot;

/// All that the backend gave, and how the original looked on the wire.
#[derive(Debug)]
pub(super) struct Gathered {
    pub(super) exchange: Exchange,
    pub(super) sent: Vec<Sent>,
    /// How long the backend took in all.
    pub(super) upstream: Duration,
    pub(super) spelling: Extensions,
    /// The room that request and answers take.
    pub(super) held: Option<(Arc<Held>, Held)>,
    /// Which backend gave it, or failed to.
    pub(super) asked: Option<Upstream>,
    /// Whether the last request went out on a kept connection that ended without a byte.
    died_reused: bool,
}

impl Gathered {
    /// Nothing: the backend was not asked.
    pub(super) fn failed(
        request: Arc<RequestFacts>,
        slot: Slot,
        call: CallFacts,
        failure: Failure,
    ) -> Box<Self> {
        // Boxed: it goes through many hands.
        Box::new(Self {
            exchange: Exchange {
                slot,
                request,
                // Most requests need one.
                attempts: Vec::with_capacity(1),
                outcome: Outcome::Failed(failure),
                elapsed: Duration::ZERO,
                call,
            },
            sent: Vec::with_capacity(1),
            upstream: Duration::ZERO,
            spelling: Extensions::new(),
            held: None,
            asked: None,
            died_reused: false,
        })
    }
}

/// Asks the backend, as often as the first answers let it, until `limit` after the request came.
pub(super) async fn exchange(
    worker: &Worker,
    route: &Route,
    policy: &SharedPolicy,
    asked: asked::Asked,
    slot: Slot,
    call: CallFacts,
    limit: Duration,
) -> Box<Gathered> {
    let signer = Signer::of(&asked, policy);
    let nothing_yet = Failure::Internal { detail: String::new() };
    let mut gathered = Gathered::failed(Arc::clone(&asked.facts), slot, call, nothing_yet);
    let asked::Asked { parts, body, held, sender, start, .. } = asked;
    let mut room = worker.room.share();
    let mut deadline = worker.alarms.at(start + limit);
    match body {
        Err(failure) => {
            gathered.exchange.outcome = Outcome::Failed(failure);
            gathered.exchange.elapsed = start.elapsed();
        }
        Ok(body) => {
            let mut out = Outbound::first(worker, route, parts, body, sender);
            let is_mapped = out.target.as_str() != gathered.exchange.request.target;
            if let Some(signer) = &signer {
                match worker.forms.of(route) {
                    Some(form) => out.resign(signer, form.url(out.target.as_str())),
                    None if is_mapped => out.sign_as_mapped(signer),
                    None => {}
                }
            }
            let manner = Manner {
                is_awaited: slot != Slot::Callback && !policy.observe,
                is_bounded: !policy.observe,
            };
            loop {
                let taken = (&mut *gathered, &mut room);
                let over = ask(worker, route, &mut out, taken, manner, start, &mut deadline).await;
                gathered.exchange.elapsed = over - start;
                if gathered.exchange.elapsed >= limit {
                    break;
                }
                // While observing, too: the kept connection was the guard's own.
                if gathered.died_reused && out.may_be_resent(route.retry) {
                    worker.metrics.upstreams().resent();
                    out.reason = AttemptReason::Resent;
                    continue;
                }
                if policy.observe {
                    break;
                }
                let Some(second) = second(worker, &gathered.exchange, policy, start + limit).await
                else {
                    break;
                };
                if !out.become_second(second, signer.as_ref()) {
                    break;
                }
            }
            worker.forms.learn(route, &gathered.exchange, policy);
        }
    }
    gathered.held = Some((held, room));
    gathered
}

/// The second request that the answer calls for, if that is known `until` then.
async fn second(
    worker: &Worker,
    exchange: &Exchange,
    policy: &SharedPolicy,
    until: Instant,
) -> Option<SecondRequest> {
    let decide = |exchange: &Exchange, policy: &Policy| {
        let Exchange { slot, request, attempts, outcome, .. } = exchange;
        let second = follow_up(*slot, request, attempts, outcome, policy);
        second.or_else(|| resign(exchange, policy))
    };
    let safely = move |metrics: &Metrics, exchange: &Exchange, policy: &Policy| {
        let decided =
            caught_now(metrics, "deciding on a second request", || decide(exchange, policy));
        decided.ok().flatten()
    };
    // Only what a GET brought is looked at whole, or what may be a refusal of a signature.
    let looks_at_body = exchange.request.method == Method::GET || policy.resign;
    if !(looks_at_body && judging::is_long(&exchange.outcome)) {
        return safely(&worker.metrics, exchange, policy);
    }
    let turn = worker.beside.turn(Some(until)).await?;
    let (metrics, exchange) = (worker.metrics.clone(), exchange.clone());
    let policy = Arc::clone(policy);
    turn.run(move || safely(&metrics, &exchange, &policy)).await
}

/// Sends one request to the backend, and notes what came of it. Gives when that was over.
async fn ask(
    worker: &Worker,
    route: &Route,
    out: &mut Outbound,
    (gathered, room): (&mut Gathered, &mut Held),
    manner: Manner,
    start: Instant,
    deadline: &mut Alarm,
) -> Instant {
    if let (Some(earlier), Outcome::Answered(answer)) =
        (gathered.sent.last_mut(), &gathered.exchange.outcome)
    {
        earlier.answer = Some(answer.clone());
    }
    let began = Instant::now();
    let limit = worker.config.max_answer_body;
    let mut sent = out.sent();
    sent.started = began - start;
    let again = gathered.asked.as_ref();
    let given = balance::guarded(worker, route, out, again, manner, began, deadline).await;
    let Asked { upstream, head, connect, over, place, died_reused } = given;
    gathered.asked = Some(upstream);
    gathered.died_reused = died_reused;
    sent.connect = connect;
    let (outcome, spelling) = match head {
        Ok(head) => {
            sent.first_byte = Some(over - began);
            collected(head, room, limit, deadline).await
        }
        Err(failure) => (Outcome::Failed(failure), Extensions::new()),
    };
    drop(place);
    let over = Instant::now();
    sent.total = over - began;
    gathered.upstream += sent.total;
    gathered.sent.push(sent);
    let answer = match &outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Failed(_) => None,
    };
    gathered.exchange.attempts.push(Attempt {
        method: out.method.clone(),
        target: out.target.as_str().to_owned(),
        reason: out.reason.clone(),
        status: answer.map(|answer| answer.status),
        location: answer.and_then(|answer| text(&answer.headers, &LOCATION)),
        allow: answer.and_then(|answer| text(&answer.headers, &ALLOW)),
    });
    gathered.exchange.outcome = outcome;
    gathered.spelling = spelling;
    over
}

/// The whole answer, as far as it comes within its bounds.
async fn collected(
    head: Box<Head>,
    room: &mut Held,
    limit: usize,
    deadline: &mut Alarm,
) -> (Outcome, Extensions) {
    if head.parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let detail = "101 Switching Protocols, which nobody asked for".to_owned();
        let received = head.received();
        return (Outcome::Failed(Failure::NotHttp { received, detail }), Extensions::new());
    }
    let odd = head.odd.clone();
    let (parts, mut body) = head.into_parts();
    let (mut bytes, end) = if odd.framing_is_lost {
        Box::pin(collect_unframed(&mut body, limit, room, deadline, is_whole)).await
    } else {
        collect_answer(&mut body, limit, room, deadline).await
    };
    let mut end = match end {
        Ok(end) => end,
        Err(full) => {
            let detail = full.to_string();
            return (Outcome::Failed(Failure::Full { detail }), Extensions::new());
        }
    };
    bytes.truncate(limit);
    if end == BodyEnd::Complete && odd == Oddities::default() {
        if !begins_as_chunk(&bytes) {
            body.give_back();
        }
    } else if end == BodyEnd::Complete {
        end = odd.end_of(bytes.len());
    }
    let answer = Answer { status: parts.status, headers: parts.headers, body: bytes, end, odd };
    (Outcome::Answered(answer), parts.extensions)
}
