//! One collector: encodes and posts, and says what goes wrong once.

use std::time::Duration;

use prost::Message;
use serde::Serialize;
use serde_json::Value;

use super::proto::Response;
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

    /// Posts a request; waits at most `within`, and never longer than configured. Gives how many
    /// items (records or data points) the collector rejected. Failures are logged, once for each
    /// reason.
    pub(super) fn send(
        &mut self,
        request: &(impl Message + Serialize),
        within: Duration,
    ) -> Result<u64, Failure> {
        let (kind, body) = if self.json {
            // Texts and numbers always have a JSON form.
            ("application/json", serde_json::to_vec(request).unwrap_or_default())
        } else {
            ("application/x-protobuf", request.encode_to_vec())
        };
        let posted = self.client.post(kind, &body, within.min(self.timeout));
        let result = posted.map(|said| rejected(&said, self.json));
        match &result {
            Ok(0) if self.trouble.is_over() => {
                tracing::info!(signal = self.name, "the collector takes {} again", self.name);
            }
            Ok(0) => {}
            Ok(_) => self.say("rejected some"),
            Err(failure) => self.say(failure.why()),
        }
        result
    }

    fn say(&mut self, why: &str) {
        if self.trouble.is_new(why) {
            let name = self.name;
            tracing::warn!(signal = name, reason = why, "the collector did not take {name}");
        }
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

/// How many items a collector rejected of those that it was sent; none where it says nothing of it.
fn rejected(said: &[u8], json: bool) -> u64 {
    if !json {
        let partial = Response::decode(said).ok().and_then(|response| response.partial_success);
        return partial.and_then(|own| u64::try_from(own.rejected).ok()).unwrap_or_default();
    }
    let said: Value = serde_json::from_slice(said).unwrap_or_default();
    let names = ["rejectedLogRecords", "rejectedDataPoints"];
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    names.iter().find_map(|name| number(&said["partialSuccess"][name])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::proto::PartialSuccess;
    use super::*;

    #[test]
    fn what_a_collector_rejects_is_read_in_either_form() {
        let response = Response { partial_success: Some(PartialSuccess { rejected: 3 }) };
        assert_eq!(rejected(&response.encode_to_vec(), false), 3);
        assert_eq!(rejected(b"", false), 0);
        assert_eq!(rejected(b"ok", false), 0);
        assert_eq!(rejected(br#"{"partialSuccess": {"rejectedLogRecords": "3"}}"#, true), 3);
        assert_eq!(rejected(br#"{"partialSuccess": {"rejectedDataPoints": 4}}"#, true), 4);
        for said in [&b"{}"[..], b"", b"ok", br#"{"partialSuccess": {"rejectedLogRecords": "-1"}}"#]
        {
            assert_eq!(rejected(said, true), 0);
        }
    }
}
