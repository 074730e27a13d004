//! What is known of the backends, shared by all workers and over reloads: who answers, who waits.

mod breaker;
mod ejection;
mod places;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use self::breaker::{Breaker, End, Look, Ticket, Times};
use self::ejection::{Ejection, Rule};
use self::places::Places;
use super::alarms::Alarms;
use crate::config::upstreams::{Balance, Patience, Upstreams};
use crate::config::{Config, Upstream};
use crate::guard::Failure;
use crate::telemetry::upstreams::UpstreamMetrics;

pub(super) use self::places::Place;

/// The backends that are known.
#[derive(Debug)]
pub(super) struct Healths {
    patience: Patience,
    metrics: UpstreamMetrics,
    known: Mutex<HashMap<Upstream, Arc<Health>>>,
}

/// One backend.
#[derive(Debug)]
pub(super) struct Health {
    name: String,
    state: Mutex<State>,
    places: Arc<Places>,
    /// Whose turn it is, where it is the first of several that take turns.
    turn: AtomicUsize,
    metrics: UpstreamMetrics,
}

#[derive(Debug)]
struct State {
    breaker: Breaker,
    ejection: Ejection,
}

/// A backend that may be asked.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) upstream: Upstream,
    pub(super) health: Arc<Health>,
    /// Whether there are others: one alone is never left out.
    has_others: bool,
}

impl Healths {
    /// Nothing known yet but the names of the configured backends.
    pub(super) fn new(config: &Config, metrics: UpstreamMetrics) -> Self {
        let healths = Self { patience: config.patience, metrics, known: Mutex::default() };
        for route in config.routes.iter().chain([&config.default_route]) {
            route.upstreams.all().iter().for_each(|upstream| drop(healths.of(upstream)));
        }
        healths
    }

    /// What is known of a backend.
    pub(super) fn of(&self, upstream: &Upstream) -> Arc<Health> {
        let mut known = lock(&self.known);
        if let Some(health) = known.get(upstream) {
            return Arc::clone(health);
        }
        let health = Arc::new(Health::new(upstream.authority(), self.patience, &self.metrics));
        known.insert(upstream.clone(), Arc::clone(&health));
        health
    }

    /// A route's backends in the order in which they are to be tried: first those that answer, last
    /// those that are left out; late those with `limit` webhooks.
    pub(super) fn candidates(&self, upstreams: &Upstreams, limit: usize) -> Vec<Candidate> {
        let all = upstreams.all();
        let has_others = all.len() > 1;
        let mut candidates: Vec<_> = all
            .iter()
            .map(|upstream| Candidate {
                upstream: upstream.clone(),
                health: self.of(upstream),
                has_others,
            })
            .collect();
        if !has_others {
            return candidates;
        }
        if let (Balance::RoundRobin, Some(first)) = (upstreams.balance(), candidates.first()) {
            let turn = first.health.turn.fetch_add(1, Relaxed) % candidates.len();
            candidates.rotate_left(turn);
        }
        candidates.sort_by_cached_key(|candidate| candidate.health.rank(limit));
        candidates
    }

    /// One backend of a route, where no other will do.
    pub(super) fn only(&self, upstream: &Upstream, of: &Upstreams) -> Candidate {
        let (upstream, health) = (upstream.clone(), self.of(upstream));
        Candidate { upstream, health, has_others: of.all().len() > 1 }
    }

    /// The backends that are left out and are to be tried now, each once.
    pub(super) fn due(&self, now: Instant) -> Vec<(Upstream, Arc<Health>)> {
        let known = lock(&self.known);
        let due = known.iter().filter(|(_, health)| lock(&health.state).ejection.is_due(now));
        due.map(|(upstream, health)| (upstream.clone(), Arc::clone(health))).collect()
    }
}

impl Candidate {
    /// The head of an answer came.
    pub(super) fn answered(&self, now: Instant) {
        self.health.change(|state| {
            state.breaker.answered(now);
            state.ejection.answered();
        });
    }

    /// No answer came.
    pub(super) fn failed(&self, failure: &Failure, now: Instant) {
        if self.has_others && is_its_fault(failure) {
            self.health.change(|state| state.ejection.failed(now));
        }
    }
}

impl Health {
    fn new(name: String, patience: Patience, metrics: &UpstreamMetrics) -> Self {
        let Patience { silence, short_wait, failures, first_out, longest_out } = patience;
        let rule = Rule { failures, first: first_out, longest: longest_out };
        let state = State {
            breaker: Breaker::new(Times { silence, short_wait }),
            ejection: Ejection::new(rule),
        };
        Self {
            places: Places::new(name.clone(), metrics.start(&name)),
            name,
            state: Mutex::new(state),
            turn: AtomicUsize::new(0),
            metrics: metrics.clone(),
        }
    }

    /// A guarded request begins to wait for an answer's head.
    pub(super) fn wait(self: &Arc<Self>, now: Instant) -> Waiting {
        let ticket = self.change(|state| state.breaker.begin(now));
        Waiting { health: Arc::clone(self), ticket, began: now, ended: None }
    }

    /// Where guarded requests that are at the backend are counted.
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// What a try of the left out backend came to.
    pub(super) fn tried(&self, connects: bool) {
        self.change(|state| state.ejection.tried(Instant::now(), connects));
    }

    /// The lower, the sooner it is tried.
    fn rank(&self, limit: usize) -> u8 {
        let state = lock(&self.state);
        match (state.ejection.is_out(), state.breaker.open()) {
            (true, _) => 3,
            (false, _) if self.places.is_full(limit) => 2,
            (false, Some(_)) => 1,
            (false, None) => 0,
        }
    }

    /// Changes the state, and tells whatever is told of changes.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let before = (state.breaker.open(), state.ejection.is_out());
        let given = change(&mut state);
        let after = (state.breaker.open(), state.ejection.is_out());
        if before != after {
            self.tell(before, after);
        }
        given
    }

    fn tell(&self, before: (Option<Instant>, bool), after: (Option<Instant>, bool)) {
        let backend = self.name.as_str();
        match (before.0, after.0) {
            (None, Some(_)) => {
                self.metrics.breaker_open(backend, true);
                tracing::warn!(
                    backend.address = backend,
                    fix = "restart the backend, or look at what all its workers wait for",
                    "no answer from the backend; webhooks wait shorter for it until one comes"
                );
            }
            (Some(since), None) => {
                self.metrics.breaker_open(backend, false);
                tracing::info!(
                    backend.address = backend,
                    seconds = since.elapsed().as_secs(),
                    "the backend answers again; webhooks wait their full time"
                );
            }
            _ => {}
        }
        match (before.1, after.1) {
            (false, true) => {
                self.metrics.ejected(backend, true);
                tracing::warn!(
                    backend.address = backend,
                    fix = "start the backend, or look into its log",
                    "the backend keeps failing and is left out; the others take its requests"
                );
            }
            (true, false) => {
                self.metrics.ejected(backend, false);
                tracing::info!(backend.address = backend, "the backend is asked again");
            }
            _ => {}
        }
    }
}

/// A guarded request that waits for an answer's head; over when dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    health: Arc<Health>,
    ticket: Ticket,
    began: Instant,
    /// When and how, once that was told.
    ended: Option<(Instant, End)>,
}

impl Waiting {
    /// Waits until an open breaker ends the wait, if it does.
    pub(super) async fn cut(&self, alarms: &Alarms) -> Failure {
        loop {
            let look = self.health.change(|state| state.breaker.look(self.ticket, Instant::now()));
            match look {
                Look::Wait(Some(then)) => alarms.at(then).await,
                Look::Wait(None) => std::future::pending().await,
                Look::Cut(silence) => {
                    let (backend, waited) = (self.health.name.clone(), self.began.elapsed());
                    return Failure::CutShort { backend, silence, waited };
                }
            }
        }
    }

    /// It is over, with an answer's head or for this reason.
    pub(super) fn over(mut self, failure: Option<&Failure>, now: Instant) {
        let end = if failure.is_some_and(is_silence) { End::Silent } else { End::Spoken };
        self.ended = Some((now, end));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let ticket = self.ticket;
        // Nobody waits any more.
        let (at, end) = self.ended.unwrap_or_else(|| (Instant::now(), End::Spoken));
        self.health.change(|state| state.breaker.end(ticket, at, end));
    }
}

/// Whether the backend said nothing at all until time ran out.
const fn is_silence(failure: &Failure) -> bool {
    matches!(failure, Failure::ConnectTimeout | Failure::CutShort { .. } | Failure::HeadersTooLate)
}

/// Whether a failure to answer is the backend's, or its network's.
const fn is_its_fault(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::Full { .. } | Failure::Internal { .. } | Failure::RequestUnfit { .. }
    )
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
