//! One collector: encodes and posts, and says what goes wrong once.

use std::time::Duration;

use prost::Message;
use serde::Serialize;

use crate::config::otlp::Signal;
use crate::incidents::outgoing::{Client, Failure, Target, Trouble};
use crate::telemetry::metrics::{Exported, Metrics};

/// Sends one kind of data.
#[derive(Debug)]
pub(super) struct Sender {
    name: &'static str,
    client: Client,
    json: bool,
    timeout: Duration,
    trouble: Trouble,
    /// The guard's instruments.
    pub(super) metrics: Metrics,
}

impl Sender {
    /// For `logs` or `metrics`; `Err` says which certificate can't be read.
    pub(super) fn new(
        name: &'static str,
        signal: &Signal,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let client = Client::new(Target {
            url: signal.url.clone(),
            headers: signal.headers.clone(),
            gzip: signal.gzip,
            certificate: signal.certificate.clone(),
            client: signal.client.clone(),
            // What OTLP names as worth another attempt.
            passing: |status| matches!(status, 429 | 502 | 503 | 504),
        })?;
        let (json, timeout) = (signal.json, signal.timeout);
        Ok(Self { name, client, json, timeout, trouble: Trouble::default(), metrics })
    }

    /// Posts a request that holds `count` items; waits at most `within`, and never longer than
    /// configured. What it says of a failure is logged.
    pub(super) fn send(
        &mut self,
        request: &(impl Message + Serialize),
        within: Duration,
    ) -> Result<(), Failure> {
        let (kind, body) = if self.json {
            // Texts and numbers always have a JSON form.
            ("application/json", serde_json::to_vec(request).unwrap_or_default())
        } else {
            ("application/x-protobuf", request.encode_to_vec())
        };
        let result = self.client.post(kind, &body, within.min(self.timeout));
        match &result {
            Ok(()) if self.trouble.is_over() => {
                tracing::info!(signal = self.name, "the collector takes {} again", self.name);
            }
            Ok(()) => {}
            Err(failure) => {
                if self.trouble.is_new(failure.why()) {
                    tracing::warn!(
                        signal = self.name,
                        reason = failure.why(),
                        "the collector did not take {}",
                        self.name
                    );
                }
            }
        }
        result
    }

    /// Counts what became of items.
    pub(super) fn count(&self, exported: Exported, count: u64) {
        self.metrics.otlp(self.name, exported, count);
    }

    /// Time for one attempt.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }
}
