//! Incidents: what is recorded of one verdict that was not `untouched`.

mod event;
pub mod recorder;
pub mod redact;
#[cfg(test)]
mod sample;

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::config::route::Route;
use crate::guard::{CAUSES, Exchange, Judgement};
use crate::telemetry::metrics::Metrics;
use crate::twilio::Slot;

/// What is recorded of one judged answer.
#[derive(Debug, Clone)]
pub struct Incident {
    /// UUIDv7: sorts by time.
    pub id: Uuid,
    /// When the request came, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The route that matched.
    pub route: Arc<Route>,
    /// Request and all that the backend gave.
    pub exchange: Arc<Exchange>,
    /// What became of it.
    pub judgement: Arc<Judgement>,
    /// How long the backend took in all.
    pub upstream_duration: Duration,
    /// Of the budget, when the delivery was decided.
    pub budget_left: Duration,
}

/// Instruments with a label for every slot and every cause.
pub fn instruments() -> prometheus::Result<Metrics> {
    let slots = Slot::ALL.map(Slot::name);
    let causes: Vec<_> = CAUSES.iter().map(|cause| cause.slug).collect();
    Metrics::new(&slots, &causes)
}
