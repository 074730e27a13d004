//! How instruments are made: each registered at once.

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Upper bounds in seconds, close around Twilio's 15 s.
const BUCKETS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 10.0, 12.0, 13.0, 14.0, 15.0,
    20.0,
];

/// Makes instruments and registers them.
#[derive(Default)]
pub(super) struct Maker(Registry);

impl Maker {
    /// Where they are registered.
    pub(super) fn registry(&self) -> Registry {
        self.0.clone()
    }

    fn keep<C: Collector + Clone + 'static>(&self, instrument: C) -> prometheus::Result<C> {
        self.0.register(Box::new(instrument.clone()))?;
        Ok(instrument)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.keep(IntCounter::new(name, help)?)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(name, help), &[label])?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::new(name, help)?)
    }

    pub(super) fn seconds(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
        self.keep(HistogramVec::new(opts, &[label])?)
    }
}
