//! Everything between a guarded request and the end of the backend's last answer.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ALLOW, LOCATION};
use http::{Extensions, StatusCode};
use tokio::time::{Sleep, sleep_until};

use super::asked::{Asked, text};
use super::collect::{collect, collect_unframed};
use super::forward::Outbound;
use super::judging;
use super::resigning::Signer;
use super::room::Held;
use super::upstream::{Client, OddHeads, Progress};
use super::worker::Worker;
use crate::config::route::Route;
use crate::guard::{
    Answer, Attempt, BodyEnd, CallFacts, Exchange, Failure, Oddities, Outcome, Policy,
    RequestFacts, begins_as_chunk, follow_up, is_whole, resign,
};
use crate::incidents::Sent;
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
}

impl Gathered {
    /// Nothing: the backend was not asked.
    pub(super) fn failed(
        request: RequestFacts,
        slot: Slot,
        call: CallFacts,
        failure: Failure,
    ) -> Self {
        Self {
            exchange: Exchange {
                slot,
                request,
                attempts: Vec::new(),
                outcome: Outcome::Failed(failure),
                elapsed: Duration::ZERO,
                call,
            },
            sent: Vec::new(),
            upstream: Duration::ZERO,
            spelling: Extensions::new(),
            held: None,
        }
    }
}

/// Asks the backend, as often as the first answers let it, until `limit` after the request came.
pub(super) async fn exchange(
    worker: &Worker,
    route: &Route,
    policy: &Policy,
    asked: Asked,
    slot: Slot,
    call: CallFacts,
    limit: Duration,
) -> Gathered {
    let signer = Signer::of(&asked).filter(|_| policy.resign && !policy.observe);
    let nothing_yet = Failure::Internal { detail: String::new() };
    let mut gathered = Gathered::failed(asked.facts(), slot, call, nothing_yet);
    let Asked { parts, body, held, sender, start, .. } = asked;
    let mut room = worker.room.share();
    let mut deadline = pin!(sleep_until((start + limit).into()));
    match body {
        Err(failure) => gathered.exchange.outcome = Outcome::Failed(failure),
        Ok(body) => {
            let mut out = Outbound::first(worker, route, parts, body, sender);
            let is_mapped = out.target.as_str() != gathered.exchange.request.target;
            match (worker.forms.of(route, policy), &signer) {
                (Some(form), Some(signer)) => out.resign(signer, form.url(out.target.as_str())),
                (None, Some(signer)) if is_mapped => out.sign_as_mapped(signer),
                _ => {}
            }
            loop {
                let taken = (&mut gathered, &mut room);
                ask(worker, route, &mut out, taken, start, deadline.as_mut()).await;
                let Exchange { slot, request, attempts, outcome, .. } = &gathered.exchange;
                if policy.observe || start.elapsed() >= limit {
                    break;
                }
                let decide = || {
                    let second = follow_up(*slot, request, attempts, outcome, policy);
                    second.or_else(|| resign(&gathered.exchange, policy))
                };
                let Some(second) = judging::or_none(decide) else { break };
                if !out.become_second(second, signer.as_ref()) {
                    break;
                }
            }
            worker.forms.learn(route, &gathered.exchange, policy);
        }
    }
    gathered.exchange.elapsed = start.elapsed();
    gathered.held = Some((held, room));
    gathered
}

/// Sends one request to the backend, and notes what came of it.
async fn ask(
    worker: &Worker,
    route: &Route,
    out: &mut Outbound,
    (gathered, room): (&mut Gathered, &mut Held),
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
    let (outcome, spelling) =
        attempt(&worker.client, route, out, (&mut sent, room), limit, deadline).await;
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
        reason: out.reason.clone(),
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
    (sent, room): (&mut Sent, &mut Held),
    limit: usize,
    mut deadline: Pin<&mut Sleep>,
) -> (Outcome, Extensions) {
    let (progress, began) = (Progress::default(), Instant::now());
    let head = tokio::select! {
        biased;
        head = client.send(&route.upstream, out.request(), out.reuse(), OddHeads::Taken, &progress) => head,
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
    let (mut bytes, end) = if odd.framing_is_lost {
        collect_unframed(&mut body, limit, room, deadline, is_whole).await
    } else {
        collect(&mut body, limit, room, deadline).await
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
            head.lease.give_back();
        }
    } else if end == BodyEnd::Complete {
        end = odd.end_of(bytes.len());
    }
    let answer = Answer { status: parts.status, headers: parts.headers, body: bytes, end, odd };
    (Outcome::Answered(answer), parts.extensions)
}
