//! Taking a running guard out of the load, and back in: it goes on answering, is not ready, and tells
//! each client to close.

use std::fmt;
use std::sync::Arc;

use super::Ready;

/// The switch.
#[derive(Clone)]
pub struct Drain {
    ready: Ready,
    closing: Arc<dyn Fn(bool) + Send + Sync>,
    in_flight: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("ready", &self.ready).finish_non_exhaustive()
    }
}

impl Drain {
    /// `closing`: tells clients to close, or not; `in_flight`: what is not over yet.
    pub fn new(
        ready: Ready,
        closing: impl Fn(bool) + Send + Sync + 'static,
        in_flight: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        Self { ready, closing: Arc::new(closing), in_flight: Arc::new(in_flight) }
    }

    /// Drains, or stops to. `by`: who wants it, for the log.
    pub(super) fn set(&self, on: bool, by: &str) {
        if self.ready.set_out(on) == on {
            return;
        }
        // Once the guard stops, nothing turns that back.
        if on || !self.ready.is_stopping() {
            (self.closing)(on);
        }
        tracing::warn!(draining = on, by, "draining switched; a restart forgets it");
    }

    /// Whether it drains, and how many exchanges and streams are not over.
    pub(super) fn state(&self) -> (bool, u64) {
        (self.ready.why_not().is_some_and(|why| why == "draining"), (self.in_flight)())
    }
}
