//! Room for what is held in memory: one budget over all connections and workers.
//!
//! It counts what is being collected, as it comes: guarded requests, forms that are looked at, and
//! guarded answers, until the delivery is made. What streams through is never held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::telemetry::metrics::Metrics;

/// The budget.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    held: AtomicUsize,
    /// Whether it was said that there is none left.
    is_told: AtomicBool,
    metrics: Metrics,
}

/// A share of the budget; given back when dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Arc<Room>,
    bytes: usize,
}

/// There is no room left.
#[derive(Debug, thiserror::Error)]
#[error("{held} of max_buffered ({limit} bytes) are held; {wanted} more do not fit")]
pub(super) struct Full {
    held: usize,
    limit: usize,
    wanted: usize,
}

impl Room {
    pub(super) fn new(limit: usize, metrics: Metrics) -> Arc<Self> {
        let (held, is_told) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { limit, held, is_told, metrics })
    }

    /// A share without a byte yet.
    pub(super) fn share(self: &Arc<Self>) -> Held {
        Held { room: Arc::clone(self), bytes: 0 }
    }

    fn take(&self, wanted: usize) -> Result<(), Full> {
        let fits = |held: usize| held.checked_add(wanted).filter(|sum| *sum <= self.limit);
        match self.held.fetch_update(Relaxed, Relaxed, fits) {
            Ok(_) => {
                self.metrics.buffered(signed(wanted));
                Ok(())
            }
            Err(held) => {
                let full = Full { held, limit: self.limit, wanted };
                if !self.is_told.swap(true, Relaxed) {
                    tracing::warn!(
                        %full,
                        "no room for more requests; webhooks get their fallback until there is some again"
                    );
                }
                Err(full)
            }
        }
    }

    fn give_back(&self, bytes: usize) {
        let held = self.held.fetch_sub(bytes, Relaxed).saturating_sub(bytes);
        self.metrics.buffered(-signed(bytes));
        if held <= self.limit / 2 && self.is_told.swap(false, Relaxed) {
            tracing::info!(held, "there is room for requests again");
        }
    }
}

impl Held {
    /// Takes so many bytes more.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Full> {
        self.room.take(more)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.give_back(self.bytes);
        }
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::instruments;

    #[test]
    fn what_is_dropped_is_room_for_others() {
        let metrics = instruments().unwrap();
        let room = Room::new(100, metrics.clone());
        let (mut first, mut second) = (room.share(), room.share());
        first.grow(60).unwrap();
        second.grow(40).unwrap();
        assert!(metrics.render().contains("twiml_guard_buffered_bytes 100\n"));
        let full = second.grow(1).unwrap_err().to_string();
        assert_eq!(full, "100 of max_buffered (100 bytes) are held; 1 more do not fit");
        drop(first);
        second.grow(60).unwrap();
        assert!(second.grow(usize::MAX).is_err());
        drop(second);
        assert!(metrics.render().contains("twiml_guard_buffered_bytes 0\n"));
        room.share().grow(100).unwrap();
    }
}
