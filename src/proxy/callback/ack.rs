//! `callbacks = "ack"`: the callback is acknowledged, the running attempt goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;
use uuid::Uuid;

use super::{PROMPT, acknowledgement, ask, asks_credentials, is_taken};
use crate::guard::{CallFacts, Failure};
use crate::incidents::new_id;
use crate::proxy::attempts::Reply;
use crate::proxy::exchange::Gathered;
use crate::proxy::guarded::{Done, Job};
use crate::proxy::worker::Worker;
use crate::telemetry::metrics::CallbackCount;

/// Callbacks that go on after they were acknowledged: each holds a connection of the backend.
const MAX_BACKGROUND: usize = 512;

/// Room for callbacks that go on after they were acknowledged, shared by the workers.
#[derive(Debug)]
pub(in crate::proxy) struct Background {
    room: Arc<Semaphore>,
    /// Whether it was said that there is none.
    is_full: AtomicBool,
}

impl Default for Background {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MAX_BACKGROUND)), is_full: AtomicBool::new(false) }
    }
}

impl Background {
    /// Room for one more; that there is none is said once until there is some again.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.room).try_acquire_owned().ok();
        let is_full = permit.is_none();
        if is_full && !self.is_full.swap(true, Ordering::Relaxed) {
            tracing::error!(
                count = MAX_BACKGROUND,
                "too many callbacks wait for the backend; further slow ones are acknowledged and given up"
            );
        }
        if self.room.available_permits() > MAX_BACKGROUND / 4 {
            self.is_full.store(false, Ordering::Relaxed);
        }
        permit
    }
}

/// Answers a callback, and records what becomes of it.
pub(super) async fn answer(worker: &Worker, job: Job, reply: Reply) {
    let start = job.asked.start;
    let mut attempt = Box::pin(ask(worker, &job));
    if let Ok(gathered) = timeout_at((start + PROMPT).into(), attempt.as_mut()).await {
        if !is_taken(&gathered.exchange.outcome) && !asks_credentials(&gathered.exchange) {
            worker.metrics.callback(CallbackCount::Acknowledged, 1);
        }
        drop(attempt);
        return reply.give(done(job, gathered, None).settle(worker).await);
    }
    let (id, _) = new_id();
    let acknowledged = start.elapsed();
    reply.give(acknowledgement(id));
    worker.metrics.callback(CallbackCount::Acknowledged, 1);
    let Some(_room) = worker.background.enter() else {
        drop(attempt);
        return give_up(worker, job, acknowledged, id).await;
    };
    let mut gathered = attempt.await;
    gathered.exchange.call.acknowledged = Some(acknowledged);
    gathered.exchange.elapsed = start.elapsed();
    done(job, gathered, Some(id)).settle(worker).await;
}

/// Records a callback that was acknowledged and for which there is no room to go on with.
pub(super) async fn give_up(worker: &Worker, job: Job, acknowledged: Duration, id: Uuid) {
    worker.metrics.callback(CallbackCount::GivenUp, 1);
    let call = CallFacts { acknowledged: Some(acknowledged), ..job.call.clone() };
    let facts = Arc::clone(&job.asked.facts);
    let mut gathered = Gathered::failed(facts, job.slot, call, Failure::HeadersTooLate);
    gathered.exchange.elapsed = job.asked.start.elapsed();
    done(job, gathered, Some(id)).settle(worker).await;
}

/// Ready to be judged and recorded.
pub(super) fn done(job: Job, gathered: Box<Gathered>, id: Option<Uuid>) -> Done {
    let Job { route, policy, asked, .. } = job;
    Done { route, policy, start: asked.start, gathered, id }
}
