//! How many guarded requests are at a backend at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use tokio::sync::Notify;

use crate::telemetry::upstreams::Inflight;

/// The places at one backend.
#[derive(Debug)]
pub(in crate::proxy) struct Places {
    backend: String,
    taken: AtomicUsize,
    freed: Notify,
    /// Whether it was said that there is none left.
    is_told: AtomicBool,
    inflight: Inflight,
}

/// One place; free again when dropped.
#[derive(Debug)]
pub(in crate::proxy) struct Place(Arc<Places>);

impl Places {
    pub(super) fn new(backend: String, inflight: Inflight) -> Arc<Self> {
        let (taken, is_told) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { backend, taken, freed: Notify::new(), is_told, inflight })
    }

    /// One place, as soon as fewer than `limit` are taken.
    pub(in crate::proxy) async fn enter(self: &Arc<Self>, limit: usize) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.try_enter(limit) {
                return place;
            }
            if !self.is_told.swap(true, Relaxed) {
                tracing::warn!(
                    backend.address = self.backend,
                    max_webhooks = limit,
                    "too many webhooks wait for the backend; further ones get their fallback after a short queue"
                );
            }
            freed.await;
        }
    }

    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.taken.load(Relaxed) >= limit
    }

    /// One place, if fewer than `limit` are taken.
    pub(in crate::proxy) fn try_enter(self: &Arc<Self>, limit: usize) -> Option<Place> {
        let fits = |taken: usize| (taken < limit).then_some(taken + 1);
        self.taken.fetch_update(Relaxed, Relaxed, fits).ok()?;
        self.inflight.add(1);
        if self.taken.load(Relaxed) <= limit / 2 && self.is_told.swap(false, Relaxed) {
            tracing::info!(backend.address = self.backend, "there is room for webhooks again");
        }
        Some(Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
        self.0.inflight.add(-1);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_place_is_taken_by_who_waits_for_it() {
        let metrics = crate::incidents::instruments().unwrap();
        let places = Places::new("a:1".to_owned(), metrics.upstreams().start("a:1"));
        let first = places.enter(2).await;
        let second = places.enter(2).await;
        assert!(timeout(Duration::from_millis(20), places.enter(2)).await.is_err());
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.enter(2).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        let third = timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap();
        let line = "twiml_guard_upstream_inflight{upstream=\"a:1\"} 2\n";
        assert!(metrics.render().contains(line));
        drop((second, third));
        assert_eq!(places.taken.load(Relaxed), 0);
    }
}
