//! Twilio's attempts: a request that Twilio sends again gets the answer of the first time, and the
//! backend is asked once.

mod key;
mod store;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use tokio::time::timeout_at;

use self::store::{Claim, Pending};
use super::callback;
use super::exchange::Gathered;
use super::guarded::{Done, Job};
use super::worker::Worker;
use crate::config::SharedPolicy;
use crate::config::route::Route;
use crate::guard::{CallFacts, Failure, RequestFacts};
use crate::twilio::Slot;

pub(super) use self::store::{Attempts, Reply};

/// Answers a request once, however often Twilio sends it.
///
/// What is shared runs in a task of its own: the client of a first attempt may leave, the answer
/// is another one's too. Observe mode shares nothing: the backend sees what it would see.
pub(super) async fn answer(worker: &Arc<Worker>, job: Job) -> Response<Bytes> {
    let key = if job.policy.observe { None } else { key::of(&job.asked) };
    let reply = match key.map(|key| worker.attempts.claim(key, Instant::now())) {
        Some(Claim::First(reply)) => reply,
        Some(Claim::Again(pending)) => {
            worker.metrics.attempt_repeated();
            return again(worker, &Spare::of(&job), pending).await;
        }
        None if callback::is_ours(&job) => Reply::unshared(),
        None => return job.conclude(worker).await,
    };
    let spare = Spare::of(&job);
    let mut pending = reply.pending();
    let task_worker = Arc::clone(worker);
    worker.tracker.spawn(async move {
        if callback::is_ours(&job) {
            callback::answer(&task_worker, job, reply).await;
        } else {
            reply.give(job.conclude(&task_worker).await);
        }
    });
    match given(&mut pending).await {
        Some(answer) => answer,
        None => spare.broken(worker),
    }
}

/// The answer of the first attempt, or what a backend that is too late gets.
async fn again(worker: &Worker, spare: &Spare, mut pending: Pending) -> Response<Bytes> {
    let deadline = spare.start + worker.config.budget;
    match timeout_at(deadline.into(), given(&mut pending)).await {
        Ok(Some(answer)) => answer,
        Ok(None) => spare.broken(worker),
        Err(_) => spare.settle(worker, Failure::HeadersTooLate),
    }
}

/// The answer, once it is there; `None` if there will be none.
async fn given(pending: &mut Pending) -> Option<Response<Bytes>> {
    pending.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone())
}

/// What is needed to answer a request for which there is no answer.
#[derive(Debug)]
struct Spare {
    route: Arc<Route>,
    policy: SharedPolicy,
    request: RequestFacts,
    slot: Slot,
    call: CallFacts,
    start: Instant,
}

impl Spare {
    fn of(job: &Job) -> Self {
        Self {
            route: Arc::clone(&job.route),
            policy: Arc::clone(&job.policy),
            request: job.asked.facts(),
            slot: job.slot,
            call: job.call.clone(),
            start: job.asked.start,
        }
    }

    /// The task that should have answered is gone.
    fn broken(&self, worker: &Worker) -> Response<Bytes> {
        let detail = "the first attempt of this request broke down".to_owned();
        self.settle(worker, Failure::Internal { detail })
    }

    fn settle(&self, worker: &Worker, failure: Failure) -> Response<Bytes> {
        let Self { route, policy, request, slot, call, start } = self;
        let mut gathered = Gathered::failed(request.clone(), *slot, call.clone(), failure);
        gathered.exchange.elapsed = start.elapsed();
        let (route, policy) = (Arc::clone(route), Arc::clone(policy));
        Done { route, policy, start: *start, gathered, id: None }.settle(worker)
    }
}
