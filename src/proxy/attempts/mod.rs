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
use super::caught::caught;
use super::guarded::Job;
use super::spare::Spare;
use super::worker::Worker;
use crate::guard::Failure;

pub(super) use self::store::{Attempts, Reply};

/// What a request is doing, for the log.
const ANSWERING: &str = "answering a webhook";

/// Answers a request once, however often Twilio sends it.
///
/// What is shared runs in a task of its own: the client of a first attempt may leave, the answer
/// is another one's too. Observe mode shares nothing: the backend sees what it would see.
pub(super) async fn answer(worker: &Arc<Worker>, job: Job) -> Response<Bytes> {
    let key = if job.policy.observe { None } else { key::of(&job.asked) };
    let spare = Spare::of(&job);
    let reply = match key.map(|key| worker.attempts.claim(key, Instant::now())) {
        Some(Claim::First(reply)) => reply,
        Some(Claim::Again(pending)) => {
            worker.metrics.attempt_repeated();
            return again(worker, &spare, pending).await;
        }
        None if callback::is_ours(&job) => Reply::unshared(),
        None => {
            return match caught(&worker.metrics, ANSWERING, job.conclude(worker)).await {
                Ok(answer) => answer,
                Err(panic) => spare.panicked(worker, &panic).await,
            };
        }
    };
    let task_worker = Arc::clone(worker);
    shared(worker, spare, reply, async move |reply| {
        if callback::is_ours(&job) {
            callback::answer(&task_worker, job, reply).await;
        } else {
            reply.give(job.conclude(&task_worker).await);
        }
    })
    .await
}

/// Runs `work` in a task of its own, and gives what it replies.
async fn shared<W>(
    worker: &Arc<Worker>,
    spare: Spare,
    reply: Reply,
    work: impl FnOnce(Reply) -> W + Send + 'static,
) -> Response<Bytes>
where
    W: Future<Output = ()> + Send + 'static,
{
    let mut pending = reply.pending();
    let (task_worker, task_spare) = (Arc::clone(worker), Arc::new(spare));
    let spare = Arc::clone(&task_spare);
    let task = worker.tracker.spawn(async move {
        let done = caught(&task_worker.metrics, ANSWERING, work(reply)).await;
        let panic = done.err()?;
        // On record, whether somebody still waits or not.
        Some(task_spare.panicked(&task_worker, &panic).await)
    });
    match given(&mut pending).await {
        Some(answer) => answer,
        None => task.await.ok().flatten().unwrap_or_else(|| spare.unrecorded()),
    }
}

/// The answer of the first attempt, or what a backend that is too late gets.
async fn again(worker: &Worker, spare: &Spare, mut pending: Pending) -> Response<Bytes> {
    let deadline = spare.start + worker.config.budget;
    let failure = match timeout_at(deadline.into(), given(&mut pending)).await {
        Ok(Some(answer)) => return answer,
        Ok(None) => {
            let detail = "the first attempt of this request broke down".to_owned();
            Failure::Internal { detail }
        }
        Err(_) => Failure::HeadersTooLate,
    };
    spare.settle(worker, failure).await
}

/// The answer, once it is there; `None` if there will be none.
async fn given(pending: &mut Pending) -> Option<Response<Bytes>> {
    pending.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone())
}
