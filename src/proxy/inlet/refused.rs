//! Refusals at the door are counted, and told of once a minute for each reason.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::fault::{Fault, Reason};
use crate::telemetry::metrics::Metrics;

/// How often each reason is told of.
const QUIET: Duration = Duration::from_mins(1);

/// Who counts refusals and tells of them; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Refusals {
    metrics: Metrics,
    told: Arc<Mutex<[Told; Reason::ALL.len()]>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Told {
    last: Option<Instant>,
    since: u64,
}

impl Refusals {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics, told: Arc::default() }
    }

    /// One more request is refused.
    pub(super) fn note(&self, fault: &Fault) {
        self.metrics.clients().refused(fault.reason.name());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let count = told.get_mut(fault.reason as usize).and_then(|told| told.due(Instant::now()));
        drop(told);
        if let Some(count) = count {
            tracing::warn!(
                reason = fault.reason.name(),
                status = fault.status,
                why = fault.why,
                count,
                "requests were refused at the door; the backend saw none of them"
            );
        }
    }
}

impl Told {
    /// How many there were since it was last told of, if it is time to tell.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        if self.last.is_some_and(|last| now.duration_since(last) < QUIET) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::REFUSED;

    #[test]
    fn a_reason_is_told_of_once_a_minute_with_its_count() {
        let (mut told, start) = (Told::default(), Instant::now());
        assert_eq!(told.due(start), Some(1));
        assert_eq!(told.due(start), None);
        assert_eq!(told.due(start + Duration::from_secs(59)), None);
        assert_eq!(told.due(start + QUIET), Some(3));
    }

    #[test]
    fn every_reason_has_its_own_place_and_name() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{}", reason.name());
            assert_eq!(REFUSED[place], reason.name());
        }
    }
}
