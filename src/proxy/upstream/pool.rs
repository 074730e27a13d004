//! Idle connections to one backend, the most recently used first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http1::SendRequest;

use super::FRESH;
use super::tap::Tap;
use crate::proxy::body::RequestBody;

/// Idle connections per backend and worker.
const MAX_IDLE: usize = 256;

/// No idle connection is kept longer: many servers close theirs after 5 s.
pub(super) const MAX_AGE: Duration = Duration::from_secs(4);

/// How long nothing is kept for a backend that closed a connection which it had left open.
const DISTRUST: Duration = Duration::from_mins(1);

/// The idle connections.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    idle: Vec<Idle>,
    /// Until when nothing is kept: the backend promises to keep connections and closes them at
    /// once, so that a request on one could be lost.
    distrusted_until: Option<Instant>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    tap: Tap,
    since: Instant,
}

/// A connection that is in use. Dropping it closes it; only [`Lease::give_back`] keeps it.
#[derive(Debug)]
pub(in crate::proxy) struct Lease {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) tap: Tap,
    pub(super) pool: Arc<Pool>,
}

impl Lease {
    /// The exchange is over and went well: the connection may serve another one.
    ///
    /// Call it only when the answer was read to its proper end.
    pub(in crate::proxy) fn give_back(self) {
        let Self { sender, tap, pool } = self;
        if !sender.is_closed() {
            pool.put(Idle { sender, tap, since: Instant::now() });
        }
    }
}

impl Pool {
    /// The most recently used connection that is alive and was idle for less than `max_age`.
    pub(super) fn take(self: &Arc<Self>, max_age: Duration) -> Option<Lease> {
        let mut state = self.lock();
        while let Some(Idle { sender, tap, since }) = state.idle.pop() {
            if since.elapsed() >= max_age {
                // Everything below was idle even longer, but may still do for a less careful one.
                if since.elapsed() < MAX_AGE {
                    state.idle.push(Idle { sender, tap, since });
                }
                return None;
            }
            if sender.is_closed() && since.elapsed() < FRESH {
                state.distrust();
            }
            // Not ready: the last request's body is still on its way out, or bytes that nobody
            // asked for came in. Neither is a connection to trust.
            if sender.is_ready() && !sender.is_closed() {
                return Some(Lease { sender, tap, pool: Arc::clone(self) });
            }
        }
        None
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        self.lock().idle.retain(|idle| idle.since.elapsed() < MAX_AGE && !idle.sender.is_closed());
    }

    /// The backend closed a kept connection under a request: keeps nothing for a while.
    pub(super) fn distrust(&self) {
        self.lock().distrust();
    }

    fn put(&self, connection: Idle) {
        let mut state = self.lock();
        if state.distrusted_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        if state.idle.len() >= MAX_IDLE {
            state.idle.remove(0);
        }
        state.idle.push(connection);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn distrust(&mut self) {
        self.distrusted_until = Some(Instant::now() + DISTRUST);
        self.idle.clear();
    }
}
