//! Metrics of streams.

use prometheus::{IntCounterVec, IntGauge};

use super::maker::Maker;

/// How a stream can end, or fail to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamOutcome {
    /// A side closed it in order.
    Closed,
    /// A side closed it with a code that says that something went wrong.
    ClosedWithError,
    /// The guard's own end cut it.
    Cut,
    /// A side's connection ended without a close frame.
    Lost,
    /// The backend did not switch to WebSocket.
    Refused,
    /// The guard stopped bytes that were no WebSocket.
    Stopped,
    /// The backend gave no answer.
    Unreachable,
}

impl StreamOutcome {
    const ALL: [Self; 7] = [
        Self::Closed,
        Self::ClosedWithError,
        Self::Cut,
        Self::Lost,
        Self::Refused,
        Self::Stopped,
        Self::Unreachable,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ClosedWithError => "closed_with_error",
            Self::Cut => "cut",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What passed one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Data frames.
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// The instruments of streams. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StreamMetrics {
    open: IntGauge,
    ended: IntCounterVec,
    frames: IntCounterVec,
    bytes: IntCounterVec,
}

impl StreamMetrics {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let metrics = Self {
            open: make
                .gauge("twiml_guard_streams_open", "Watched WebSockets that are open now.")?,
            ended: make.counters(
                "twiml_guard_streams_total",
                "Watched WebSockets by how they ended, or why they were never opened.",
                &["outcome"],
            )?,
            frames: make.counters(
                "twiml_guard_stream_frames_total",
                "Data frames of watched WebSockets that are over, by who sent them.",
                &["from"],
            )?,
            bytes: make.counters(
                "twiml_guard_stream_bytes_total",
                "Bytes of watched WebSockets that are over, by who sent them.",
                &["from"],
            )?,
        };
        for outcome in StreamOutcome::ALL {
            metrics.ended.with_label_values(&[outcome.name()]);
        }
        for from in ["twilio", "backend"] {
            metrics.frames.with_label_values(&[from]);
            metrics.bytes.with_label_values(&[from]);
        }
        Ok(metrics)
    }

    /// Counts one more open stream until the mark is dropped.
    pub fn open(&self) -> OpenStream {
        self.open.inc();
        OpenStream(self.open.clone())
    }

    /// Counts a stream that is over, or was never opened, and what passed.
    pub fn ended(&self, outcome: StreamOutcome, twilio: Passed, backend: Passed) {
        self.ended.with_label_values(&[outcome.name()]).inc();
        for (from, passed) in [("twilio", twilio), ("backend", backend)] {
            self.frames.with_label_values(&[from]).inc_by(passed.frames);
            self.bytes.with_label_values(&[from]).inc_by(passed.bytes);
        }
    }
}

/// A stream that is open.
#[derive(Debug)]
pub struct OpenStream(IntGauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
