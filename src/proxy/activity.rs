//! Whether a client's connection has something to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    in_flight: AtomicUsize,
    /// Milliseconds after it was opened that its last request ended.
    idle_since: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        let (in_flight, idle_since) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { opened: Instant::now(), in_flight, idle_since }
    }

    /// Whether it has had nothing to answer for so long.
    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        let since = Duration::from_millis(self.idle_since.load(Relaxed));
        self.in_flight.load(Relaxed) == 0 && self.opened.elapsed().saturating_sub(since) >= time
    }
}

/// A request that is being answered, until the last byte of its answer is handed on.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Busy {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Relaxed);
        Self(activity)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.idle_since.store(now, Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}
