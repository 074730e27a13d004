//! Metrics of the backends.

use prometheus::{IntCounter, IntGauge, IntGaugeVec};

use super::maker::Maker;

/// The instruments of the backends, by their address. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics {
    breaker_open: IntGaugeVec,
    ejected: IntGaugeVec,
    inflight: IntGaugeVec,
    resent: IntCounter,
}

impl UpstreamMetrics {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        Ok(Self {
            breaker_open: make.gauges(
                "twiml_guard_breaker_open",
                "1 while the backend answers nobody and webhooks wait shorter for it.",
                "upstream",
            )?,
            ejected: make.gauges(
                "twiml_guard_upstream_ejected",
                "1 while the backend is left out, since it failed several times in a row.",
                "upstream",
            )?,
            inflight: make.gauges(
                "twiml_guard_upstream_inflight",
                "Webhooks that are at the backend now.",
                "upstream",
            )?,
            resent: make.counter(
                "twiml_guard_resent_total",
                "Requests sent again because their kept connection ended without a byte of an answer.",
            )?,
        })
    }

    /// From now on there is such a backend. What is at it is counted with every webhook, without a
    /// look at its name.
    pub fn start(&self, backend: &str) -> Inflight {
        for gauge in [&self.breaker_open, &self.ejected] {
            gauge.with_label_values(&[backend]);
        }
        Inflight(self.inflight.with_label_values(&[backend]))
    }

    /// A request was sent again: its kept connection ended without a byte of an answer.
    pub fn resent(&self) {
        self.resent.inc();
    }

    /// Whether webhooks wait shorter for it.
    pub fn breaker_open(&self, backend: &str, is_open: bool) {
        self.breaker_open.with_label_values(&[backend]).set(i64::from(is_open));
    }

    /// Whether it is left out.
    pub fn ejected(&self, backend: &str, is_out: bool) {
        self.ejected.with_label_values(&[backend]).set(i64::from(is_out));
    }
}

/// Webhooks that are at one backend now.
#[derive(Debug)]
pub struct Inflight(IntGauge);

impl Inflight {
    /// So many more (or fewer) are.
    pub fn add(&self, more: i64) {
        self.0.add(more);
    }
}
