//! `callbacks = "redeliver"`: what the backend does not take waits on disk until it does.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Version};
use tokio::time::timeout_at;

use super::ack::{self, done};
use super::{PATIENCE, PROMPT, acknowledgement, ask, asks_credentials, is_taken};
use crate::calls::queue::{Due, Queue, Waiting};
use crate::clock;
use crate::guard::CallFacts;
use crate::incidents::new_id;
use crate::proxy::asked::Asked;
use crate::proxy::attempts::Reply;
use crate::proxy::authenticate::{Check, Checked};
use crate::proxy::caught::caught;
use crate::proxy::exchange::exchange;
use crate::proxy::guarded::{Done, Job};
use crate::proxy::headers::Peer;
use crate::proxy::routing;
use crate::proxy::worker::{Current, Worker};
use crate::telemetry::metrics::CallbackCount;
use crate::twilio::Slot;

/// Parameters of partial results: the next one makes them worthless.
const PARTIAL: [&str; 2] = ["UnstableSpeechResult", "StableSpeechResult"];

/// Answers a callback: from the backend, or with 204 once it is on disk. Where it can't be put
/// there it is acknowledged only.
pub(super) async fn answer(worker: &Worker, queue: &Queue, job: Job, reply: Reply) {
    let waiting = match waiting(&job) {
        Some(waiting) if !PARTIAL.iter().any(|name| job.asked.facts.params.has(name)) => waiting,
        _ => return ack::answer(worker, job, reply).await,
    };
    let start = job.asked.start;
    let Some(mut claim) = queue.claim(&waiting.lane) else {
        if queue.put(waiting).await.is_err() {
            return ack::answer(worker, job, reply).await;
        }
        worker.metrics.callback(CallbackCount::Acknowledged, 1);
        return reply.give(acknowledgement(new_id().0));
    };
    let mut attempt = Box::pin(ask(worker, &job));
    if let Ok(gathered) = timeout_at((start + PROMPT).into(), attempt.as_mut()).await {
        drop(attempt);
        if is_taken(&gathered.exchange.outcome) || asks_credentials(&gathered.exchange) {
            claim.taken();
        } else {
            worker.metrics.callback(CallbackCount::Acknowledged, 1);
            if claim.put(waiting).await.is_err() {
                worker.metrics.callback(CallbackCount::GivenUp, 1);
            }
            drop(claim);
        }
        return reply.give(done(job, gathered, None).settle(worker).await);
    }
    let is_stored = claim.put(waiting).await.is_ok();
    let (id, _) = new_id();
    let acknowledged = start.elapsed();
    reply.give(acknowledgement(id));
    worker.metrics.callback(CallbackCount::Acknowledged, 1);
    // Its claim ends with it: what is stored is asked again.
    let Some(_room) = worker.background.enter() else {
        drop(attempt);
        if !is_stored {
            ack::give_up(worker, job, acknowledged, id).await;
        }
        return;
    };
    let mut gathered = attempt.await;
    if is_taken(&gathered.exchange.outcome) {
        claim.taken();
    } else {
        if !is_stored {
            worker.metrics.callback(CallbackCount::GivenUp, 1);
        }
        drop(claim);
    }
    gathered.exchange.call.acknowledged = Some(acknowledged);
    gathered.exchange.elapsed = start.elapsed();
    done(job, gathered, Some(id)).settle(worker).await;
}

/// Takes what is due from the queue for as long as it is polled, and asks the backend.
pub(in crate::proxy) async fn deliver(current: &Current, queue: &Queue) {
    loop {
        let due = queue.next().await;
        let worker = current.load_full();
        let tracker = worker.tracker.clone();
        tracker.spawn(async move {
            let metrics = worker.metrics.clone();
            caught(&metrics, "redelivering a callback", once(&worker, due)).await
        });
    }
}

/// Asks the backend once more. The first failure is recorded; further ones would say the same.
async fn once(worker: &Worker, due: Due) {
    let Due { callback, claim } = due;
    let Some(asked) = asked(worker, &callback) else {
        tracing::error!("a callback on disk is no request; it is dropped");
        worker.metrics.callback(CallbackCount::GivenUp, 1);
        return claim.taken();
    };
    let (route, _) = routing::plan(&worker.config, &asked.parts);
    let (route, start) = (Arc::clone(route), asked.start);
    let policy = Arc::clone(route.policy.current());
    let call = CallFacts::default();
    let gathered = exchange(worker, &route, &policy, asked, Slot::Callback, call, PATIENCE).await;
    if is_taken(&gathered.exchange.outcome) {
        let waited = clock::now_ms().saturating_sub(callback.time_ms) / 1000;
        tracing::info!(route = route.name, seconds = waited, "a callback was redelivered");
        worker.metrics.callback(CallbackCount::Redelivered, 1);
        claim.taken();
    } else if claim.is_first_failure() {
        drop(claim);
        Done { route, policy, start, gathered, id: None }.settle(worker).await;
    }
}

/// A request as it is put on disk; `None` if it can't be.
fn waiting(job: &Job) -> Option<Waiting> {
    let Asked { parts, body, facts, sender, .. } = &job.asked;
    let params = &facts.params;
    let sid = ["CallSid", "MessageSid", "SmsSid"].iter().find_map(|name| params.get(name));
    let mut headers = Vec::new();
    for (name, value) in &parts.headers {
        headers.extend_from_slice(name.as_str().as_bytes());
        headers.push(b':');
        headers.extend_from_slice(value.as_bytes());
        headers.push(b'\n');
    }
    Some(Waiting {
        lane: sid.map_or_else(|| format!("route {}", job.route.name), str::to_owned),
        time_ms: clock::now_ms(),
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers,
        body: body.as_ref().ok()?.to_vec(),
        peer: sender.peer().written(),
    })
}

/// The request that was put on disk.
fn asked(worker: &Worker, waiting: &Waiting) -> Option<Asked> {
    let mut request = Request::builder()
        .method(waiting.method.as_str())
        .uri(waiting.target.as_str())
        .body(())
        .ok()?;
    for line in waiting.headers.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
        let name = HeaderName::from_bytes(name).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(value).ok()?);
    }
    let (parts, ()) = request.into_parts();
    let body = Ok(Bytes::from(waiting.body.clone()));
    // At most so many wait on disk at a time.
    let held = Arc::new(worker.room.share());
    let sender = Peer::read(&waiting.peer).sender(Version::HTTP_11);
    // It was looked at before it was put in the queue.
    let check = Check::Done(Checked::default());
    Some(Asked::new(parts, body, held, sender, Instant::now(), check))
}
