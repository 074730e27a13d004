//! Which backend is asked, and the next one where that can't be connected to.

use std::time::{Duration, Instant};

use http::{Method, Request};
use hyper::body::Body as _;
use tokio::time::{sleep, timeout};

use super::alarms::Alarm;
use super::body::RequestBody;
use super::forward::Outbound;
use super::health::{Candidate, Place, Waiting};
use super::pulse::{Pulse, Stopped};
use super::upstream::{Head, OddHeads, Outgoing, Progress, Reuse};
use super::worker::Worker;
use crate::config::Upstream;
use crate::config::route::Route;
use crate::guard::Failure;

/// How long a request waits for a place at a backend that has as many as it may have.
const QUEUE: Duration = Duration::from_secs(1);

/// How a guarded request treats its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Somebody waits for the answer: an open breaker shortens the wait.
    pub(super) is_awaited: bool,
    /// It takes one of the places.
    pub(super) is_bounded: bool,
}

/// What asking came to.
#[derive(Debug)]
pub(super) struct Asked {
    /// Who was asked at last.
    pub(super) upstream: Upstream,
    pub(super) head: Result<Box<Head>, Failure>,
    /// From the beginning until there was a connection, or none.
    pub(super) connect: Duration,
    /// When the head was there, or none would come any more.
    pub(super) over: Instant,
    /// Held until the answer is whole.
    pub(super) place: Option<Place>,
    /// Whether it went out on a kept connection that ended without a byte of an answer.
    pub(super) died_reused: bool,
}

/// Sends a guarded request to the first of its route's backends that can be connected to; to
/// `again`, where that has to be the same one as before. `began`: now.
pub(super) async fn guarded(
    worker: &Worker,
    route: &Route,
    out: &Outbound,
    again: Option<&Upstream>,
    manner: Manner,
    began: Instant,
    deadline: &mut Alarm,
) -> Asked {
    let limit = if manner.is_bounded { worker.config.max_webhooks } else { usize::MAX };
    let candidates = candidates(worker, route, again, limit);
    let mut tries = Tries::new(worker, candidates.len(), began);
    let mut request = out.request();
    let (mut asked, mut now) = (None, began);
    for candidate in candidates {
        let upstream = candidate.upstream.clone();
        let share = tries.share();
        let mut place = None;
        if manner.is_bounded {
            place = candidate.health.places().try_enter(limit);
            if place.is_none() {
                let entered = timeout(QUEUE, candidate.health.places().enter(limit));
                place = tokio::select! {
                    biased;
                    entered = entered => entered.ok(),
                    () = &mut *deadline => None,
                };
                now = Instant::now();
            }
            if place.is_none() {
                let detail = format!(
                    "{limit} webhooks (max_webhooks) are at {} already, and none was answered in time",
                    upstream.authority()
                );
                let (head, connect) = (Err(Failure::Full { detail }), now - began);
                return Asked { upstream, head, connect, over: now, place, died_reused: false };
            }
        }
        let progress = Progress::default();
        let waiting = manner.is_awaited.then(|| candidate.health.wait(now));
        let cut = async {
            match &waiting {
                Some(waiting) => waiting.cut(&worker.alarms).await,
                None => std::future::pending().await,
            }
        };
        let sent =
            worker.client.send(&upstream, &mut request, out.reuse(), OddHeads::Taken, &progress);
        let head = tokio::select! {
            biased;
            head = sent => head,
            () = &mut *deadline => Err(late(&progress)),
            failure = cut => Err(failure),
            () = unconnected(share, &progress) => Err(Failure::ConnectTimeout),
        };
        let over = Instant::now();
        let connect = progress.connected().unwrap_or(over) - began;
        note(&candidate, waiting, &head, over);
        let died_reused = progress.died_reused();
        let goes_on = tries.may_go_on(&head) && request.is_unsent() && !deadline.is_over();
        asked = Some(Asked { upstream, head, connect, over, place, died_reused });
        if !goes_on {
            break;
        }
        now = over;
    }
    asked.unwrap_or_else(|| nobody(route, began))
}

/// Sends a request whose body may still be on its way.
pub(super) async fn passed(
    worker: &Worker,
    route: &Route,
    request: Request<RequestBody>,
    pulse: &Pulse,
) -> Asked {
    let began = Instant::now();
    let candidates = candidates(worker, route, None, usize::MAX);
    let mut tries = Tries::new(worker, candidates.len(), began);
    let may_repeat = is_repeatable(&request);
    let mut reuse = if may_repeat { Reuse::Any } else { Reuse::Fresh };
    let mut request = Outgoing::streamed(request);
    let mut asked = None;
    for candidate in candidates {
        let (upstream, share) = (candidate.upstream.clone(), tries.share());
        let (progress, head) = loop {
            let progress = Progress::default();
            let head = tokio::select! {
                biased;
                head = worker.client.send(&upstream, &mut request, reuse, OddHeads::Refused, &progress) => head,
                stopped = pulse.stops(worker.config.pass) => Err(too_slow(worker, stopped)),
                () = unconnected(share, &progress) => Err(Failure::ConnectTimeout),
            };
            if !(progress.died_reused() && may_repeat && request.rewind()) {
                break (progress, head);
            }
            worker.metrics.upstreams().resent();
            reuse = Reuse::Never;
        };
        let over = Instant::now();
        let connect = progress.connected().unwrap_or(over) - began;
        note(&candidate, None, &head, over);
        let died_reused = progress.died_reused();
        let goes_on = request.is_unsent() && !died_reused && tries.may_go_on(&head);
        asked = Some(Asked { upstream, head, connect, over, place: None, died_reused });
        if !goes_on {
            break;
        }
    }
    asked.unwrap_or_else(|| nobody(route, began))
}

/// Whether a request may be sent twice (RFC 9110, section 9.2.1), and can be.
fn is_repeatable(request: &Request<RequestBody>) -> bool {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    is_safe && request.body().is_end_stream()
}

fn too_slow(worker: &Worker, stopped: Stopped) -> Failure {
    match stopped {
        Stopped::Backend => Failure::HeadersTooLate,
        Stopped::Client => {
            let seconds = worker.config.pass.idle.as_secs();
            let detail = format!(
                "the request's body came too slowly: less than 1 KiB in {seconds} s (pass_idle_timeout)"
            );
            tracing::debug!(detail, "a client was not waited for any longer");
            Failure::RequestUnfit { detail }
        }
    }
}

/// Tries every backend that is left out and due, in the background.
pub(super) fn try_left_out(worker: &std::sync::Arc<Worker>) {
    for (upstream, health) in worker.healths.due(Instant::now()) {
        let worker = std::sync::Arc::clone(worker);
        tokio::spawn(async move {
            health.tried(worker.client.connects(&upstream).await);
        });
    }
}

fn candidates(
    worker: &Worker,
    route: &Route,
    again: Option<&Upstream>,
    limit: usize,
) -> Vec<Candidate> {
    match again {
        Some(upstream) => vec![worker.healths.only(upstream, &route.upstreams)],
        None => worker.healths.candidates(&route.upstreams, limit),
    }
}

/// The time to connect, shared out among the backends that may be tried.
struct Tries {
    /// When all of it is over, where there are several.
    until: Option<Instant>,
    left: usize,
}

impl Tries {
    fn new(worker: &Worker, count: usize, now: Instant) -> Self {
        let until = (count > 1).then(|| now + worker.config.connect_timeout);
        Self { until, left: count }
    }

    /// The next one's share, where there are several.
    fn share(&mut self) -> Option<Duration> {
        let count = u32::try_from(self.left).unwrap_or(u32::MAX).max(1);
        self.left = self.left.saturating_sub(1);
        let time = self.until?.saturating_duration_since(Instant::now());
        Some(time / count)
    }

    /// Whether another backend may be asked after this: what failed is the guard's own where it is
    /// nobody's fault out there.
    fn may_go_on(&self, head: &Result<Box<Head>, Failure>) -> bool {
        let is_its_own = matches!(head, Err(Failure::Internal { .. }));
        self.left > 0 && head.is_err() && !is_its_own
    }
}

/// Over once there is no connection after this time.
async fn unconnected(share: Option<Duration>, progress: &Progress) {
    if let Some(share) = share {
        sleep(share).await;
        if progress.connected().is_none() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

fn late(progress: &Progress) -> Failure {
    match progress.connected() {
        Some(_) => Failure::HeadersTooLate,
        None => Failure::ConnectTimeout,
    }
}

fn note(
    candidate: &Candidate,
    waiting: Option<Waiting>,
    head: &Result<Box<Head>, Failure>,
    now: Instant,
) {
    let failure = head.as_ref().err();
    if let Some(waiting) = waiting {
        waiting.over(failure, now);
    }
    match failure {
        None => candidate.answered(now),
        Some(failure) => candidate.failed(failure, now),
    }
}

/// A route always has a backend.
fn nobody(route: &Route, began: Instant) -> Asked {
    let detail = "the route has no backend".to_owned();
    let head = Err(Failure::Internal { detail });
    let (upstream, connect) = (route.upstream().clone(), Duration::ZERO);
    Asked { upstream, head, connect, over: began, place: None, died_reused: false }
}
