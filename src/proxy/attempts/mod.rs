//! Twilio's attempts: a request that Twilio sends again gets the answer of the first time, and the
//! backend is asked once.

mod kept;
mod key;
mod rest;
mod store;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::Response;
use tokio::time::timeout_at;

use self::rest::Rest;
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
/// What is shared is done to its end: the client of a first attempt may leave, the answer is
/// another one's too. Observe mode shares nothing: the backend sees what it would see.
pub(super) async fn answer(worker: &Arc<Worker>, job: Box<Job>) -> Response<Bytes> {
    let key = if job.policy.observe { None } else { worker.attempts.keys.of(&job.asked) };
    let spare = Spare::of(&job);
    let reply = match key.map(|key| worker.attempts.claim(key, job.asked.start)) {
        Some(Claim::First(reply)) => reply,
        Some(Claim::Again(pending)) => {
            worker.metrics.attempt_repeated();
            return Box::pin(again(worker, &spare, pending)).await;
        }
        None if callback::is_ours(&job) => Reply::unshared(),
        None => {
            return match caught(&worker.metrics, ANSWERING, job.conclude(worker)).await {
                Ok(answer) => answer,
                Err(panic) => Box::pin(spare.panicked(worker, &panic)).await,
            };
        }
    };
    let task_worker = Arc::clone(worker);
    shared(worker, spare, reply, async move |reply| {
        if callback::is_ours(&job) {
            Box::pin(callback::answer(&task_worker, *job, reply)).await;
        } else {
            reply.give(job.conclude(&task_worker).await);
        }
    })
    .await
}

/// Does `work` to its end, and gives what it replies.
async fn shared<W>(
    worker: &Arc<Worker>,
    spare: Spare,
    reply: Reply,
    work: impl FnOnce(Reply) -> W + Send + 'static,
) -> Response<Bytes>
where
    W: Future<Output = ()> + Send + 'static,
{
    let (own, replied) = (reply.pending(), reply.pending());
    let own_worker = Arc::clone(worker);
    let mut rest = Rest::new(&worker.tracker, async move {
        let done = caught(&own_worker.metrics, ANSWERING, async { work(reply).await }).await;
        let stood_in = match done {
            Ok(()) => None,
            // On record, whether somebody still waits or not.
            Err(panic) => Some(Box::pin(spare.panicked(&own_worker, &panic)).await),
        };
        own.now().or(stood_in).unwrap_or_else(|| spare.unrecorded())
    });
    // A reply may come before the end.
    poll_fn(|cx| match pin!(&mut rest).poll(cx) {
        Poll::Pending => replied.now().map_or(Poll::Pending, Poll::Ready),
        Poll::Ready(answer) => Poll::Ready(answer),
    })
    .await
}

/// The answer of the first attempt, or what a backend that is too late gets.
async fn again(worker: &Worker, spare: &Spare, pending: Pending) -> Response<Bytes> {
    let deadline = spare.start + worker.config.budget;
    let failure = match timeout_at(deadline.into(), pending.given()).await {
        Ok(Some(answer)) => return answer,
        Ok(None) => {
            let detail = "the first attempt of this request broke down".to_owned();
            Failure::Internal { detail }
        }
        Err(_) => Failure::HeadersTooLate,
    };
    spare.settle(worker, failure).await
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use http::Request;

    use super::*;
    use crate::config::{Sources, load};
    use crate::incidents::instruments;
    use crate::incidents::recorder::Recorder;
    use crate::proxy::worker::Shared;
    use crate::twilio::Slot;

    /// A worker, and what stands in for a request of this slot.
    fn standing_in(slot: Slot) -> (Arc<Worker>, Spare) {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources { cwd: folder.path().to_owned(), ..Sources::default() };
        let config = Arc::new(load(&sources).unwrap().config);
        let recorder = Recorder::without_writer(instruments().unwrap());
        let worker = Worker::new(Shared::new(config, recorder, instruments().unwrap()));
        let route = Arc::clone(&worker.config.default_route);
        let (parts, ()) = Request::post("/voice").body(()).unwrap().into_parts();
        let policy = Arc::clone(route.policy.current());
        let spare = Spare::of_head(&route, &policy, &parts, Some(slot), Instant::now());
        (Arc::new(worker), spare)
    }

    fn assert_stood_in(worker: &Worker, answer: &Response<Bytes>, slot: Slot) {
        let fallbacks = &worker.config.default_route.policy.current().fallbacks;
        assert_eq!(answer.body(), &fallbacks.of(slot).unwrap().body);
        let status = answer.headers()["proxy-status"].to_str().unwrap();
        assert!(status.contains("guard-failure"), "{status}");
        assert!(worker.metrics.render().contains("twiml_guard_panics_total 1\n"));
    }

    #[tokio::test]
    async fn a_panic_before_the_reply_is_answered_with_the_slots_fallback() {
        for slot in [Slot::Voice, Slot::Whisper, Slot::Messaging] {
            let (worker, spare) = standing_in(slot);
            let key = worker.attempts.keys.numbered(7);
            let Claim::First(reply) = worker.attempts.claim(key, Instant::now()) else {
                panic!("nobody came before")
            };
            let answer = shared(&worker, spare, reply, async |_reply| panic!("on the way")).await;
            assert_stood_in(&worker, &answer, slot);
            // Nothing is left of it: the next attempt is a first one.
            assert!(matches!(worker.attempts.claim(key, Instant::now()), Claim::First(_)));
        }
    }

    #[tokio::test]
    async fn a_panic_behind_the_reply_changes_nothing_for_who_has_it() {
        let (worker, spare) = standing_in(Slot::Callback);
        let said = Response::new(Bytes::from_static(b"heard"));
        let answer = shared(&worker, spare, Reply::unshared(), async |reply| {
            reply.give(said);
            tokio::task::yield_now().await;
            panic!("in the background")
        });
        assert_eq!(answer.await.body(), "heard");
        worker.tracker.close();
        worker.tracker.wait().await;
        assert!(worker.metrics.render().contains("twiml_guard_panics_total 1\n"));
    }
}
