//! Metrics of clients' connections.

use prometheus::{IntCounter, IntCounterVec};

use super::labels::REFUSED;
use super::maker::Maker;

/// The instruments of clients' connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientMetrics {
    ended: IntCounterVec,
    refused: IntCounterVec,
    tls_failed: IntCounter,
}

impl ClientMetrics {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let metrics = Self {
            ended: make.counters(
                "twiml_guard_clients_ended_total",
                "Clients whose connection was ended: the TLS handshake, a head or the next request took too long, or they did not take their answer.",
                &["reason"],
            )?,
            refused: make.counters(
                "twiml_guard_refused_total",
                "Requests that were refused at the door by what is wrong with them.",
                &["reason"],
            )?,
            tls_failed: make.counter(
                "twiml_guard_tls_failed_total",
                "TLS handshakes of clients that failed.",
            )?,
        };
        for reason in ["handshake", "head", "idle", "write"] {
            metrics.ended.with_label_values(&[reason]);
        }
        for reason in REFUSED {
            metrics.refused.with_label_values(&[reason]);
        }
        Ok(metrics)
    }

    /// Counts a client that was ended: `handshake`, `head`, `idle` or `write`.
    pub fn ended(&self, reason: &'static str) {
        self.ended.with_label_values(&[reason]).inc();
    }

    /// Counts a request that was refused, for one of [`REFUSED`].
    pub fn refused(&self, reason: &'static str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Counts a client's TLS handshake that failed.
    pub fn tls_failed(&self) {
        self.tls_failed.inc();
    }
}
