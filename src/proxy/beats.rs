//! Whether every worker still gets round to its work, for whoever watches over the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

const WAITED_FOR: u8 = 0;
const BEATEN: u8 = 1;
const ENDED: u8 = 2;

/// The beats of all workers.
#[derive(Debug, Clone, Default)]
pub struct Beats(Arc<[Beat]>);

/// One worker's.
#[derive(Debug, Clone, Default)]
pub(super) struct Beat(Arc<AtomicU8>);

impl Beats {
    /// Of so many workers, of which none has beaten yet.
    pub(super) fn of(workers: usize) -> Self {
        Self((0..workers).map(|_| Beat::default()).collect())
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Beat> {
        self.0.iter()
    }

    /// Whether each worker has beaten since this was true for the last time, or has ended well.
    pub fn are_complete(&self) -> bool {
        let is_complete = self.0.iter().all(|beat| beat.0.load(Relaxed) != WAITED_FOR);
        if is_complete {
            for Beat(beat) in self.0.iter() {
                // One that has ended stays so.
                let _ = beat.compare_exchange(BEATEN, WAITED_FOR, Relaxed, Relaxed);
            }
        }
        is_complete
    }
}

impl Beat {
    /// The worker got round to it.
    pub(super) fn beat(&self) {
        self.0.store(BEATEN, Relaxed);
    }

    /// The worker is done; nobody waits for it any more.
    pub(super) fn end(&self) {
        self.0.store(ENDED, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_that_hangs_is_enough_and_one_that_ended_is_not_waited_for() {
        let beats = Beats::of(2);
        let [first, second] = [0, 1].map(|at| beats.each().nth(at).unwrap().clone());
        assert!(!beats.are_complete());
        first.beat();
        assert!(!beats.are_complete());
        second.beat();
        assert!(beats.are_complete());
        assert!(!beats.are_complete(), "each time anew");
        first.beat();
        first.beat();
        assert!(!beats.are_complete());
        second.end();
        assert!(beats.are_complete());
        assert!(!beats.are_complete());
        first.beat();
        assert!(beats.are_complete());
    }
}
