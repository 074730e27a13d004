//! Metrics: names, labels, registry, text output.
//!
//! Labels come from closed sets only, and whatever may be counted starts at 0, so that the first
//! occurrence is an increase.

use std::sync::Arc;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder as _, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use super::answers::AnswerMetrics;
use super::clients::ClientMetrics;
use super::maker::Maker;
use super::reloads::ReloadMetrics;
use super::streams::StreamMetrics;
use super::upstreams::UpstreamMetrics;

pub use super::labels::{CallbackCount, CauseLabel, Exported, LEVELS, OUTCOMES, Phase, Told};

/// The guard's instruments. Cheap to clone; counting never waits.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Instruments>);

#[derive(Debug)]
struct Instruments {
    registry: Registry,
    answers: AnswerMetrics,
    dropped: IntCounter,
    not_stored: IntCounter,
    recorder_queued: IntGauge,
    store_queued: IntGauge,
    store_up: IntGauge,
    store_bytes: IntGauge,
    outbreaks: IntCounterVec,
    outbreaks_open: IntGaugeVec,
    notify: IntCounterVec,
    otlp: IntCounterVec,
    attempts_repeated: IntCounter,
    callbacks: IntCounterVec,
    callbacks_waiting: IntGauge,
    callbacks_oldest: IntGauge,
    reloads: ReloadMetrics,
    observe: IntGaugeVec,
    signatures: [(&'static str, IntCounter); 3],
    clients: ClientMetrics,
    panics: IntCounter,
    buffered: IntGauge,
    resident: IntGauge,
    streams: StreamMetrics,
    upstreams: UpstreamMetrics,
}

impl Metrics {
    /// Instruments with every label set started at 0: `slots` and `causes` are closed sets.
    pub fn new(slots: &[&'static str], causes: &[CauseLabel]) -> prometheus::Result<Self> {
        let make = Maker::default();
        let queued = make.gauges(
            "twiml_guard_queue_items",
            "What waits to be recorded (recorder) and to be stored (store).",
            "queue",
        )?;
        let signatures = make.counters(
            "twiml_guard_signatures_total",
            "Requests whose signature was looked at by what it said: Twilio's, none, or not Twilio's.",
            &["result"],
        )?;
        let metrics = Instruments {
            registry: make.registry(),
            answers: AnswerMetrics::new(&make, slots, causes)?,
            dropped: make.counter(
                "twiml_guard_incidents_dropped_total",
                "Incidents that did not fit the queue.",
            )?,
            not_stored: make.counter(
                "twiml_guard_incidents_not_stored_total",
                "Incidents that are missing in the store: it could not be written to for too long.",
            )?,
            recorder_queued: queued.with_label_values(&["recorder"]),
            store_queued: queued.with_label_values(&["store"]),
            store_up: make.gauge(
                "twiml_guard_store_up",
                "1 while incidents are stored, 0 while they can't be, or without a state directory.",
            )?,
            store_bytes: make.gauge(
                "twiml_guard_store_bytes",
                "Size of the store, its write-ahead log included.",
            )?,
            outbreaks: make.counters(
                "twiml_guard_outbreak_changes_total",
                "Outbreaks that were opened, reopened, grew tenfold or closed.",
                &["change", "level"],
            )?,
            outbreaks_open: make.gauges(
                "twiml_guard_outbreaks_open",
                "Outbreaks with an incident not long ago.",
                "level",
            )?,
            notify: make.counters(
                "twiml_guard_notify_total",
                "Messages to webhooks by what became of them.",
                &["outcome"],
            )?,
            otlp: make.counters(
                "twiml_guard_otlp_total",
                "Log records, and readings of all metrics, for a collector by what became of them.",
                &["signal", "outcome"],
            )?,
            attempts_repeated: make.counter(
                "twiml_guard_attempts_repeated_total",
                "Requests that Twilio sent again and that got the answer of their first attempt.",
            )?,
            callbacks: make.counters(
                "twiml_guard_callbacks_total",
                "Callbacks that were acknowledged in the backend's place, put on disk, redelivered and given up.",
                &["outcome"],
            )?,
            callbacks_waiting: make.gauge(
                "twiml_guard_callbacks_waiting",
                "Callbacks on disk that the backend did not take yet.",
            )?,
            callbacks_oldest: make.gauge(
                "twiml_guard_callbacks_oldest_seconds",
                "Age of the oldest of them.",
            )?,
            reloads: ReloadMetrics::new(&make)?,
            observe: make.gauges(
                "twiml_guard_observe",
                "1 while answers on the route are only observed, 0 while they are mended.",
                "route",
            )?,
            signatures: ["genuine", "unsigned", "forged"]
                .map(|result| (result, signatures.with_label_values(&[result]))),
            clients: ClientMetrics::new(&make)?,
            panics: make.counter(
                "twiml_guard_panics_total",
                "Panics of the guard itself that were caught; each is a bug.",
            )?,
            buffered: make.gauge(
                "twiml_guard_buffered_bytes",
                "Bytes of guarded requests and answers that are held, of max_buffered.",
            )?,
            resident: make.gauge("process_resident_memory_bytes", "Resident memory.")?,
            streams: StreamMetrics::new(&make)?,
            upstreams: UpstreamMetrics::new(&make)?,
        };
        let started = make.gauge(
            "process_start_time_seconds",
            "Start of the process, seconds since the Unix epoch.",
        )?;
        started.set(now_seconds());
        let build =
            make.gauges("twiml_guard_build_info", "Version of the guard; always 1.", "version")?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.start_at_zero();
        Ok(Self(Arc::new(metrics)))
    }
    /// Counts one judged answer: `outcome` is `untouched`, `repaired`, `replaced` or `failed`,
    /// `slot` a slot's name, `causes` the slugs of its findings. Durations: the whole exchange and
    /// the backend's part.
    pub fn answer(
        &self,
        outcome: &'static str,
        slot: &'static str,
        causes: &(impl Iterator<Item = &'static str> + Clone),
        total: Duration,
        upstream: Duration,
    ) {
        self.0.answers.answer(outcome, slot, causes, total, upstream);
    }

    /// Counts one request that streamed through unguarded.
    pub fn passed(&self) {
        self.0.answers.passed();
    }

    /// The instruments of streams.
    pub fn streams(&self) -> &StreamMetrics {
        &self.0.streams
    }

    /// The instruments of the backends.
    pub fn upstreams(&self) -> &UpstreamMetrics {
        &self.0.upstreams
    }

    /// Counts one request by what its signature said: `genuine`, `unsigned` or `forged`.
    pub fn signature(&self, result: &'static str) {
        if let Some((_, counter)) = self.0.signatures.iter().find(|(name, _)| *name == result) {
            counter.inc();
        }
    }

    /// The instruments of clients' connections.
    pub fn clients(&self) -> &ClientMetrics {
        &self.0.clients
    }

    /// Counts one incident that did not fit the queue.
    pub fn incident_dropped(&self) {
        self.0.dropped.inc();
    }

    /// Counts incidents that the store lacks.
    pub fn not_stored(&self, count: u64) {
        self.0.not_stored.inc_by(count);
    }

    /// Whether incidents are stored.
    pub fn store_up(&self, up: bool) {
        self.0.store_up.set(i64::from(up));
    }

    /// The size of the store.
    pub fn store_bytes(&self, bytes: u64) {
        self.0.store_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a change of an outbreak (`opened`, `reopened`, `grew`, `closed`) of this level.
    pub fn outbreak(&self, change: &'static str, level: &'static str) {
        self.0.outbreaks.with_label_values(&[change, level]).inc();
    }

    /// So many outbreaks of this level are open now.
    pub fn outbreaks_open(&self, level: &'static str, open: usize) {
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.0.outbreaks_open.with_label_values(&[level]).set(open);
    }

    /// Whether answers on a configured route are only observed.
    pub fn observe(&self, route: &str, is_observed: bool) {
        self.0.observe.with_label_values(&[route]).set(i64::from(is_observed));
    }

    /// Notes how long a phase of the backend's answer took.
    pub fn phase(&self, phase: Phase, took: Duration) {
        self.0.answers.phase(phase, took);
    }

    /// So many more (or fewer) wait in the recorder's queue.
    pub fn recorder_queue(&self, more: i64) {
        self.0.recorder_queued.add(more);
    }

    /// So many more (or fewer) wait in the store's queue.
    pub fn store_queue(&self, more: i64) {
        self.0.store_queued.add(more);
    }

    /// Counts messages to webhooks.
    pub fn notify(&self, told: Told, count: u64) {
        self.0.notify.with_label_values(&[told.name()]).inc_by(count);
    }

    /// Counts log records (`logs`) or readings of all metrics (`metrics`) for a collector.
    pub fn otlp(&self, signal: &'static str, exported: Exported, count: u64) {
        self.0.otlp.with_label_values(&[signal, exported.name()]).inc_by(count);
    }

    /// Counts a request that got the answer of its first attempt.
    pub fn attempt_repeated(&self) {
        self.0.attempts_repeated.inc();
    }

    /// Counts callbacks that the backend did not take at once.
    pub fn callback(&self, what: CallbackCount, count: u64) {
        self.0.callbacks.with_label_values(&[what.name()]).inc_by(count);
    }

    /// So many callbacks wait on disk, the oldest for so long.
    pub fn callbacks_waiting(&self, count: usize, oldest: Duration) {
        self.0.callbacks_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.0.callbacks_oldest.set(i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX));
    }

    /// What became of configurations.
    pub fn reloads(&self) -> &ReloadMetrics {
        &self.0.reloads
    }

    /// A route is gone.
    pub fn forget_route(&self, route: &str) {
        // It may never have been counted.
        let _ = self.0.observe.remove_label_values(&[route]);
    }

    /// Counts a panic that was caught.
    pub fn panicked(&self) {
        self.0.panics.inc();
    }

    /// So many more (or fewer) bytes of requests and answers are held.
    pub fn buffered(&self, more: i64) {
        self.0.buffered.add(more);
    }

    /// Everything, as it stands now.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.0.resident.set(resident_bytes().unwrap_or_default());
        self.0.registry.gather()
    }

    /// Everything in Prometheus' text format (version 0.0.4).
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory fails only on a broken instrument; what was written is still told.
        let _ = TextEncoder::new().encode(&self.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl Instruments {
    fn start_at_zero(&self) {
        for count in CallbackCount::ALL {
            self.callbacks.with_label_values(&[count.name()]);
        }
        for level in LEVELS {
            self.outbreaks_open.with_label_values(&[level]);
            for change in ["opened", "reopened", "grew", "closed"] {
                self.outbreaks.with_label_values(&[change, level]);
            }
        }
        for told in [Told::Sent, Told::Failed, Told::Held, Told::Dropped] {
            self.notify.with_label_values(&[told.name()]);
        }
        for signal in ["logs", "metrics"] {
            for exported in [Exported::Sent, Exported::Failed, Exported::Dropped] {
                self.otlp.with_label_values(&[signal, exported.name()]);
            }
        }
    }
}

pub(super) fn now_seconds() -> i64 {
    i64::try_from(crate::clock::now_ms() / 1000).unwrap_or_default()
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
        let metrics =
            Metrics::new(&["voice"], &[CauseLabel { slug: "html-page", may_be_untouched: false }])
                .unwrap();
        let line = "twiml_guard_findings_total{cause=\"html-page\",outcome=\"replaced\"}";
        assert!(metrics.render().contains(&format!("{line} 0\n")));
        metrics.answer(
            "replaced",
            "voice",
            &["html-page", "html-page"].into_iter(),
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
