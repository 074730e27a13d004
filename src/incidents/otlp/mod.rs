//! Sends incidents, as log records, and all metrics to OpenTelemetry collectors (OTLP over HTTP).
//!
//! Each kind has a thread of its own and nothing waits for it. What goes wrong here is logged and
//! counted, and never sent itself.

mod logs;
mod metrics;
mod proto;
mod record;
mod sender;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use self::logs::LogsHandle;
use self::metrics::MetricsHandle;
use self::proto::{KeyValue, Resource, Scope};
use self::sender::Sender;
use super::ending::Ending;
use super::outgoing::host_name;
use crate::config::otlp::Otlp;
use crate::telemetry::metrics::Metrics;

pub(super) use logs::Logs;

/// Ends the threads.
#[derive(Debug, Default)]
pub(super) struct OtlpHandle {
    logs: Option<LogsHandle>,
    metrics: Option<MetricsHandle>,
}

impl OtlpHandle {
    /// Asks for what waits to be sent, at most until `deadline`.
    pub(super) fn ask(self, deadline: Instant) -> impl Iterator<Item = Ending> {
        let logs = self.logs.and_then(|logs| logs.ask(deadline));
        let metrics = self.metrics.and_then(|metrics| metrics.ask(deadline));
        logs.into_iter().chain(metrics)
    }
}

/// Starts what is configured. A collector that can't be used (its certificate can't be read) is
/// said in the log; the guard serves in any case.
pub(super) fn start(config: &Otlp, metrics: &Metrics) -> io::Result<(Option<Logs>, OtlpHandle)> {
    let resource = resource(&config.resource);
    let sender = |name, signal: &Option<_>| {
        let signal = signal.as_ref()?;
        Sender::new(name, signal, metrics.clone())
            .inspect_err(|error| tracing::error!(signal = name, "no {name} are sent: {error}"))
            .ok()
    };
    let mut handle = OtlpHandle::default();
    let mut logs = None;
    if let Some(sender) = sender("logs", &config.logs) {
        let (own, own_handle) = Logs::start(sender, resource.clone(), config.batch)?;
        (logs, handle.logs) = (Some(own), Some(own_handle));
    }
    if let Some(sender) = sender("metrics", &config.metrics) {
        handle.metrics = Some(metrics::start(sender, resource, config.metric_interval)?);
    }
    Ok((logs, handle))
}

fn resource(configured: &[(String, String)]) -> Arc<Resource> {
    let mut attributes: Vec<_> =
        configured.iter().map(|(key, value)| KeyValue::text(key, value)).collect();
    let own = [("host.name", host_name()), ("service.instance.id", Uuid::now_v7().to_string())];
    for (key, value) in own {
        if !value.is_empty() && configured.iter().all(|(name, _)| name != key) {
            attributes.push(KeyValue::text(key, &value));
        }
    }
    Arc::new(Resource { attributes })
}

fn scope() -> Scope {
    Scope { name: "twiml-guard".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}
