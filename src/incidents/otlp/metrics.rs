//! All metrics, sent in intervals.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus::proto::{Metric as Sample, MetricFamily, MetricType};

use super::proto::{
    CUMULATIVE, Data, Gauge, Histogram, HistogramPoint, KeyValue, Metric, MetricsRequest,
    NumberPoint, Resource, ResourceMetrics, ScopeMetrics, Sum,
};
use super::record::nanos;
use super::scope;
use super::sender::Sender;
use crate::clock;
use crate::incidents::ending::{self, Ending};
use crate::incidents::outgoing::{Backoff, Failure};
use crate::telemetry::metrics::Exported;

/// First and longest wait between attempts.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Read once more and send it until then, and say so.
struct Finish(Instant, SyncSender<()>);

/// Ends the thread.
#[derive(Debug)]
pub(super) struct MetricsHandle {
    queue: SyncSender<Finish>,
    thread: JoinHandle<()>,
}

impl MetricsHandle {
    /// Asks for a last reading to be sent, at most until `deadline`.
    pub(super) fn ask(self, deadline: Instant) -> Option<Ending> {
        let make = |done| Finish(deadline, done);
        ending::ask(&self.queue, Some(self.thread), Instant::now() + ending::MOMENT, make)
    }
}

/// Starts the thread that reads and sends.
pub(super) fn start(
    sender: Sender,
    resource: Arc<Resource>,
    interval: Duration,
) -> io::Result<MetricsHandle> {
    let (queue, finishes) = sync_channel(1);
    let reader = Reader { sender, resource, interval, started_ms: clock::now_ms() };
    let thread = std::thread::Builder::new()
        .name("otlp-metrics".to_owned())
        .spawn(move || reader.run(&finishes))?;
    Ok(MetricsHandle { queue, thread })
}

struct Reader {
    sender: Sender,
    resource: Arc<Resource>,
    interval: Duration,
    started_ms: u64,
}

impl Reader {
    fn run(mut self, finishes: &Receiver<Finish>) {
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut due = Instant::now() + self.interval;
        let mut next = due;
        loop {
            match finishes.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Finish(deadline, done)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    let _ = self.send(left);
                    let _ = done.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now >= due {
                due = now + self.interval;
                backoff.reset();
            }
            next = match self.send(self.sender.timeout()) {
                // The next reading holds all that this one did.
                Err(Failure::Passing { after, .. }) => {
                    due.min(Instant::now() + backoff.next(after))
                }
                _ => due,
            };
        }
    }

    fn send(&mut self, within: Duration) -> Result<u64, Failure> {
        let families = self.sender.metrics.gather();
        let (from, to) = (nanos(self.started_ms), nanos(clock::now_ms()));
        let metrics = families.iter().map(|family| metric(family, from, to)).collect();
        let request = MetricsRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some((*self.resource).clone()),
                scope_metrics: vec![ScopeMetrics { scope: Some(scope()), metrics }],
            }],
        };
        let result = self.sender.send(&request, within);
        let exported = if result == Ok(0) { Exported::Sent } else { Exported::Failed };
        self.sender.count(exported, 1);
        result
    }
}

/// A metric under its own name; OTLP's kind says what Prometheus' `_total` does.
fn metric(family: &MetricFamily, from: u64, to: u64) -> Metric {
    let numbers = |value: fn(&Sample) -> f64| {
        let points = family.get_metric().iter().map(|sample| NumberPoint {
            attributes: attributes(sample),
            start_time_unix_nano: from,
            time_unix_nano: to,
            as_double: Some(value(sample)),
        });
        points.collect()
    };
    let data = match family.get_field_type() {
        MetricType::COUNTER => Data::Sum(Sum {
            data_points: numbers(|sample| sample.get_counter().get_value()),
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        }),
        MetricType::HISTOGRAM => Data::Histogram(Histogram {
            data_points: family
                .get_metric()
                .iter()
                .map(|sample| histogram(sample, from, to))
                .collect(),
            aggregation_temporality: CUMULATIVE,
        }),
        _ => Data::Gauge(Gauge { data_points: numbers(|sample| sample.get_gauge().get_value()) }),
    };
    let name = family.name();
    let name = name.strip_suffix("_total").unwrap_or(name);
    let unit = match name.rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "",
    };
    Metric {
        name: name.to_owned(),
        description: family.help().to_owned(),
        unit: unit.to_owned(),
        data: Some(data),
    }
}

fn histogram(sample: &Sample, from: u64, to: u64) -> HistogramPoint {
    let own = sample.get_histogram();
    let count = own.get_sample_count();
    let (mut bounds, mut counts, mut below) = (Vec::new(), Vec::new(), 0);
    for bucket in own.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
        bounds.push(bucket.upper_bound());
        counts.push(bucket.cumulative_count().saturating_sub(below));
        below = bucket.cumulative_count();
    }
    counts.push(count.saturating_sub(below));
    HistogramPoint {
        attributes: attributes(sample),
        start_time_unix_nano: from,
        time_unix_nano: to,
        count,
        sum: Some(own.get_sample_sum()),
        bucket_counts: counts,
        explicit_bounds: bounds,
    }
}

fn attributes(sample: &Sample) -> Vec<KeyValue> {
    sample.get_label().iter().map(|label| KeyValue::text(label.name(), label.value())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::instruments;

    fn found(all: &[MetricFamily], name: &str) -> Metric {
        let mut metrics = all.iter().map(|family| metric(family, 1, 2));
        metrics.find(|metric| metric.name == name).unwrap()
    }

    #[test]
    fn every_kind_is_told_as_otlp_tells_it() {
        let metrics = instruments().unwrap();
        let second = Duration::from_secs(1);
        metrics.answer("replaced", "voice", &["html-page"].into_iter(), second * 30, second);
        let all = metrics.gather();
        let answers = found(&all, "twiml_guard_answers");
        let Some(Data::Sum(sum)) = answers.data else { panic!("{answers:?}") };
        assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE);
        let values: f64 = sum.data_points.iter().filter_map(|point| point.as_double).sum();
        assert!((values - 1.0).abs() < f64::EPSILON);

        let duration = found(&all, "twiml_guard_answer_duration_seconds");
        assert_eq!(duration.unit, "s");
        let Some(Data::Histogram(histogram)) = duration.data else { panic!("no histogram") };
        let voice = histogram.data_points.iter().find(|point| point.count == 1).unwrap();
        assert_eq!(voice.bucket_counts.len(), voice.explicit_bounds.len() + 1);
        assert_eq!(voice.bucket_counts.iter().sum::<u64>(), 1);
        assert_eq!(voice.bucket_counts.last(), Some(&1));

        let store = found(&all, "twiml_guard_store_up");
        assert!(matches!(store.data, Some(Data::Gauge(_))), "{store:?}");
    }
}
