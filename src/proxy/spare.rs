//! What is needed to answer a guarded request for which there is no answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::asked::Seen;
use super::caught::caught;
use super::exchange::Gathered;
use super::guarded::{Done, Job};
use super::judging;
use super::worker::Worker;
use crate::config::SharedPolicy;
use crate::config::route::Route;
use crate::guard::{CallFacts, Failure, RequestFacts};
use crate::twilio::{Params, Slot, SlotSetting};

/// A guarded request, as far as it is known.
#[derive(Debug)]
pub(super) struct Spare {
    route: Arc<Route>,
    policy: SharedPolicy,
    request: Known,
    slot: Slot,
    call: CallFacts,
    pub(super) start: Instant,
}

/// What is known of a request: told only where something is to be judged.
#[derive(Debug)]
enum Known {
    Head(Seen),
    Whole(Arc<RequestFacts>),
}

impl Known {
    fn facts(&self) -> Arc<RequestFacts> {
        match self {
            Self::Head(head) => Arc::new(head.facts(Params::default(), Bytes::new())),
            Self::Whole(facts) => Arc::clone(facts),
        }
    }
}

impl Spare {
    /// Of a request of which only the head is read.
    pub(super) fn of_head(
        route: &Arc<Route>,
        policy: &SharedPolicy,
        parts: &Parts,
        slot: Option<Slot>,
        start: Instant,
    ) -> Self {
        let of_route = match route.slot {
            SlotSetting::Fixed(slot) => slot,
            SlotSetting::Auto | SlotSetting::Pass => Slot::Voice,
        };
        Self {
            route: Arc::clone(route),
            policy: Arc::clone(policy),
            request: Known::Head(Seen::of(parts)),
            slot: slot.unwrap_or(of_route),
            call: CallFacts::default(),
            start,
        }
    }

    /// Of one that is read whole.
    pub(super) fn of(job: &Job) -> Self {
        Self {
            route: Arc::clone(&job.route),
            policy: Arc::clone(&job.policy),
            request: Known::Whole(Arc::clone(&job.asked.facts)),
            slot: job.slot,
            call: job.call.clone(),
            start: job.asked.start,
        }
    }

    /// Answers in place of what panicked, and records that.
    pub(super) async fn panicked(&self, worker: &Worker, panic: &str) -> Response<Bytes> {
        let detail = format!("answering this request panicked: {panic}");
        self.settle(worker, Failure::Internal { detail }).await
    }

    /// Judges and records a failure in place of an answer.
    pub(super) async fn settle(&self, worker: &Worker, failure: Failure) -> Response<Bytes> {
        let Self { route, policy, request, slot, call, start } = self;
        let mut gathered = Gathered::failed(request.facts(), *slot, call.clone(), failure);
        gathered.exchange.elapsed = start.elapsed();
        let (route, policy) = (Arc::clone(route), Arc::clone(policy));
        let done = Done { route, policy, start: *start, gathered, id: None };
        let settled = caught(&worker.metrics, "recording a request", done.settle(worker)).await;
        settled.unwrap_or_else(|_| self.unrecorded())
    }

    /// The fallback and nothing else.
    pub(super) fn unrecorded(&self) -> Response<Bytes> {
        let delivery = judging::last_resort(self.slot, &self.policy);
        let mut response = Response::new(delivery.body);
        *response.status_mut() = delivery.status;
        *response.headers_mut() = delivery.headers;
        response
    }
}
