//! Counts of one run, for the summary line at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::guard::Verdict;

/// What one run of the proxy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Guarded answers, whatever became of them.
    pub answers: u64,
    /// Of these, left as the backend wrote them.
    pub untouched: u64,
    /// Of these, delivered repaired.
    pub repaired: u64,
    /// Of these, replaced by a fallback (or a 502 where the route says so).
    pub replaced: u64,
    /// Requests that streamed through unguarded.
    pub passed: u64,
    /// Answers that observe mode let through although enforcing would have changed them.
    pub would_have: u64,
    /// Exchanges and tunnels that the drain deadline cut.
    pub lost_at_deadline: u64,
}

/// The running counts behind a [`Summary`], shared by the workers.
#[derive(Debug, Default)]
pub(super) struct Tally {
    untouched: AtomicU64,
    repaired: AtomicU64,
    replaced: AtomicU64,
    passed: AtomicU64,
    would_have: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    /// Counts one guarded answer.
    pub(super) fn answer(&self, verdict: Verdict, observe: bool) {
        let counter = match verdict {
            Verdict::Untouched => &self.untouched,
            _ if observe => &self.would_have,
            Verdict::Repaired => &self.repaired,
            Verdict::Replaced => &self.replaced,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Counts one request that streams through.
    pub(super) fn passed(&self) {
        self.passed.fetch_add(1, Relaxed);
    }

    /// Counts what the drain deadline cut.
    pub(super) fn lost(&self, open: u64) {
        self.lost.fetch_add(open, Relaxed);
    }

    /// The counts.
    pub(super) fn summary(&self) -> Summary {
        let untouched = self.untouched.load(Relaxed);
        let repaired = self.repaired.load(Relaxed);
        let replaced = self.replaced.load(Relaxed);
        let would_have = self.would_have.load(Relaxed);
        Summary {
            answers: untouched + repaired + replaced + would_have,
            untouched,
            repaired,
            replaced,
            passed: self.passed.load(Relaxed),
            would_have,
            lost_at_deadline: self.lost.load(Relaxed),
        }
    }
}

/// How many exchanges and tunnels of one worker are not over yet.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenCount(Arc<AtomicU64>);

impl OpenCount {
    /// Counts one more until the mark is dropped.
    pub(super) fn mark(&self) -> Open {
        self.0.fetch_add(1, Relaxed);
        Open(Arc::clone(&self.0))
    }

    /// How many there are now.
    pub(super) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// An exchange or a tunnel that is not over yet.
#[derive(Debug)]
pub(super) struct Open(Arc<AtomicU64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
