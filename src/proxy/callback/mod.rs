//! Callbacks: Twilio only tells, and wants to hear within its time that it was heard.
//!
//! | `callbacks` | what Twilio gets | what the backend gets |
//! | --- | --- | --- |
//! | `ack` | the backend's answer within 1 s, else 204 | the callback once; again only while nothing of it was written |
//! | `redeliver` | the same | the callback until it takes it, in order, from a queue on disk |
//! | `pass` | whatever the backend gives | the callback, untouched |

mod ack;
mod redeliver;

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response, StatusCode};
use std::time::Duration;
use uuid::Uuid;

use super::attempts::Reply;
use super::deliver;
use super::exchange::{Gathered, exchange};
use super::guarded::Job;
use super::worker::Worker;
use crate::config::route::Callbacks;
use crate::guard::{BodyEnd, Exchange, Failure, Outcome, is_challenge};
use crate::twilio::Slot;

pub(super) use self::ack::Background;
pub(super) use self::redeliver::deliver;

/// The backend's time before Twilio is answered in its place.
const PROMPT: Duration = Duration::from_secs(1);

/// The backend's time in all. A worker that holds a media stream takes callbacks once that call is
/// over, which takes minutes; what takes longer holds connections for nobody.
const PATIENCE: Duration = Duration::from_mins(5);

/// How long a backend that can't be reached is tried: a restart takes less.
const REACH: Duration = Duration::from_mins(1);

/// Waits between two tries to reach it.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// Whether Twilio may be answered in the backend's place.
pub(super) fn is_ours(job: &Job) -> bool {
    job.slot == Slot::Callback
        && job.route.callbacks != Callbacks::Pass
        && !job.policy.observe
        && job.asked.body.is_ok()
}

/// Answers a callback that [`is_ours`], and goes on with it where the backend takes longer.
pub(super) async fn answer(worker: &Worker, job: Job, reply: Reply) {
    match &worker.queue {
        Some(queue) if job.route.callbacks == Callbacks::Redeliver => {
            redeliver::answer(worker, queue, job, reply).await;
        }
        _ => ack::answer(worker, job, reply).await,
    }
}

/// Asks the backend, again as long as nothing of the request was written.
async fn ask(worker: &Worker, job: &Job) -> Box<Gathered> {
    let mut wait = FIRST_WAIT;
    loop {
        let Job { route, policy, asked, slot, call, .. } = job;
        let (asked, call) = (asked.clone(), call.clone());
        let gathered = exchange(worker, route, policy, asked, *slot, call, PATIENCE).await;
        let again = job.asked.start.elapsed() + wait < REACH;
        if !(is_unwritten(&gathered.exchange.outcome) && again) {
            return gathered;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether nothing of the request left: there was no connection.
fn is_unwritten(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed(
            Failure::ConnectTimeout
                | Failure::Full { .. }
                | Failure::Refused { .. }
                | Failure::Unreachable { .. }
        )
    )
}

/// Whether the backend took the callback.
fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered(answer)
        if answer.status.is_success() && answer.end == BodyEnd::Complete)
}

/// Whether the backend asks Twilio for the credentials that it keeps in the URL: it will come again.
fn asks_credentials(exchange: &Exchange) -> bool {
    matches!(&exchange.outcome, Outcome::Answered(answer) if is_challenge(exchange, answer))
}

/// The 204 in the backend's place.
fn acknowledgement(id: Uuid) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    deliver::mark_acknowledged(response.headers_mut(), id);
    response
}
