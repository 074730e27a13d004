//! Metrics: names, labels, registry, text output.

use std::time::Duration;

use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder,
};

/// What can become of an answer.
pub const OUTCOMES: [&str; 5] = ["untouched", "repaired", "replaced", "failed", "passed"];

/// Upper bounds in seconds, close around Twilio's 15 s.
const BUCKETS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0, 10.0, 12.0, 13.0, 14.0, 15.0,
    20.0,
];

/// The guard's instruments. Cheap to clone; counting never waits.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    answers: IntCounterVec,
    findings: IntCounterVec,
    duration: HistogramVec,
    upstream: HistogramVec,
    dropped: IntCounter,
    not_stored: IntCounter,
    store_up: IntGauge,
    store_bytes: IntGauge,
    outbreaks: IntCounterVec,
    outbreaks_open: IntGauge,
    observe: IntGaugeVec,
    resident: IntGauge,
}

impl Metrics {
    /// Instruments with every label set started at 0: `slots` and `causes` are closed sets.
    pub fn new(slots: &[&'static str], causes: &[&'static str]) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
        };
        let seconds = |name: &str, help: &str| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()), &["slot"])
        };
        let metrics = Self {
            answers: counter(
                "twiml_guard_answers_total",
                "Answers by what became of them and by slot.",
                &["outcome", "slot"],
            )?,
            findings: counter(
                "twiml_guard_findings_total",
                "Findings in answers by cause, slot and what became of the answer.",
                &["cause", "slot", "outcome"],
            )?,
            duration: seconds(
                "twiml_guard_answer_duration_seconds",
                "Time from a webhook's head to its delivery.",
            )?,
            upstream: seconds(
                "twiml_guard_upstream_duration_seconds",
                "Time that the backend took of it.",
            )?,
            dropped: IntCounter::new(
                "twiml_guard_incidents_dropped_total",
                "Incidents that did not fit the queue.",
            )?,
            not_stored: IntCounter::new(
                "twiml_guard_incidents_not_stored_total",
                "Incidents that are missing in the store: it could not be written to for too long.",
            )?,
            store_up: IntGauge::new(
                "twiml_guard_store_up",
                "1 while incidents are stored, 0 while they can't be, or without a state directory.",
            )?,
            store_bytes: IntGauge::new(
                "twiml_guard_store_bytes",
                "Size of the store, its write-ahead log included.",
            )?,
            outbreaks: counter(
                "twiml_guard_outbreak_changes_total",
                "Outbreaks that were opened, reopened, grew tenfold or closed.",
                &["change"],
            )?,
            outbreaks_open: IntGauge::new(
                "twiml_guard_outbreaks_open",
                "Outbreaks with an incident not long ago.",
            )?,
            observe: IntGaugeVec::new(
                Opts::new(
                    "twiml_guard_observe",
                    "1 while answers on the route are only observed, 0 while they are mended.",
                ),
                &["route"],
            )?,
            resident: IntGauge::new("process_resident_memory_bytes", "Resident memory.")?,
            registry,
        };
        let started = IntGauge::new(
            "process_start_time_seconds",
            "Start of the process, seconds since the Unix epoch.",
        )?;
        started.set(i64::try_from(crate::clock::now_ms() / 1000).unwrap_or_default());
        let build = IntGaugeVec::new(
            Opts::new("twiml_guard_build_info", "Version of the guard; always 1."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.registry.register(Box::new(metrics.answers.clone()))?;
        metrics.registry.register(Box::new(metrics.findings.clone()))?;
        metrics.registry.register(Box::new(metrics.duration.clone()))?;
        metrics.registry.register(Box::new(metrics.upstream.clone()))?;
        metrics.registry.register(Box::new(metrics.dropped.clone()))?;
        metrics.registry.register(Box::new(metrics.not_stored.clone()))?;
        metrics.registry.register(Box::new(metrics.store_up.clone()))?;
        metrics.registry.register(Box::new(metrics.store_bytes.clone()))?;
        metrics.registry.register(Box::new(metrics.outbreaks.clone()))?;
        metrics.registry.register(Box::new(metrics.outbreaks_open.clone()))?;
        metrics.registry.register(Box::new(metrics.observe.clone()))?;
        metrics.registry.register(Box::new(metrics.resident.clone()))?;
        metrics.registry.register(Box::new(started))?;
        metrics.registry.register(Box::new(build))?;
        metrics.start_at_zero(slots, causes);
        Ok(metrics)
    }

    fn start_at_zero(&self, slots: &[&'static str], causes: &[&'static str]) {
        for slot in slots {
            self.duration.with_label_values(&[*slot]);
            self.upstream.with_label_values(&[*slot]);
            for outcome in OUTCOMES.iter().filter(|outcome| **outcome != "passed") {
                self.answers.with_label_values(&[*outcome, *slot]);
            }
            for outcome in ["failed", "repaired", "replaced"] {
                for cause in causes {
                    self.findings.with_label_values(&[*cause, *slot, outcome]);
                }
            }
        }
        self.answers.with_label_values(&["passed", "pass"]);
        for change in ["opened", "reopened", "grew", "closed"] {
            self.outbreaks.with_label_values(&[change]);
        }
    }

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
        self.answers.with_label_values(&[outcome, slot]).inc();
        for (at, cause) in causes.iter().enumerate() {
            if !causes.iter().take(at).any(|earlier| earlier == cause) {
                self.findings.with_label_values(&[*cause, slot, outcome]).inc();
            }
        }
        self.duration.with_label_values(&[slot]).observe(total.as_secs_f64());
        self.upstream.with_label_values(&[slot]).observe(upstream.as_secs_f64());
    }

    /// Counts one request that streamed through unguarded.
    pub fn passed(&self) {
        self.answers.with_label_values(&["passed", "pass"]).inc();
    }

    /// Counts one incident that did not fit the queue.
    pub fn incident_dropped(&self) {
        self.dropped.inc();
    }

    /// Counts incidents that the store lacks.
    pub fn not_stored(&self, count: u64) {
        self.not_stored.inc_by(count);
    }

    /// Whether incidents are stored.
    pub fn store_up(&self, up: bool) {
        self.store_up.set(i64::from(up));
    }

    /// The size of the store.
    pub fn store_bytes(&self, bytes: u64) {
        self.store_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a change of an outbreak (`opened`, `reopened`, `grew`, `closed`); so many are open now.
    pub fn outbreak(&self, change: &'static str, open: usize) {
        self.outbreaks.with_label_values(&[change]).inc();
        self.outbreaks_open.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Whether answers on a configured route are only observed.
    pub fn observe(&self, route: &str, is_observed: bool) {
        self.observe.with_label_values(&[route]).set(i64::from(is_observed));
    }

    /// Everything in Prometheus' text format (version 0.0.4).
    pub fn render(&self) -> String {
        self.resident.set(resident_bytes().unwrap_or_default());
        let mut text = Vec::new();
        // Writing to memory fails only on a broken instrument; what was written is still told.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

/// Resident memory of this process, where the system tells.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: i64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_start_at_zero_and_count() {
        let metrics = Metrics::new(&["voice"], &["html-page"]).unwrap();
        let line =
            "twiml_guard_findings_total{cause=\"html-page\",outcome=\"replaced\",slot=\"voice\"}";
        assert!(metrics.render().contains(&format!("{line} 0\n")));
        metrics.answer(
            "replaced",
            "voice",
            &["html-page", "html-page"],
            Duration::from_secs(1),
            Duration::from_secs(1),
        );
        metrics.passed();
        let text = metrics.render();
        assert!(text.contains(&format!("{line} 1\n")), "{text}");
        assert!(
            text.contains("twiml_guard_answers_total{outcome=\"passed\",slot=\"pass\"} 1\n"),
            "{text}"
        );
    }
}
