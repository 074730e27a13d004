//! A stream that runs: the watcher between pipe, ledger and record.

use std::time::Instant;

use http::HeaderMap;

use super::opening::{Opening, switch};
use super::pipe::Watcher;
use crate::guard::stream::Side;
use crate::guard::watch::{Passage, Watch};
use crate::proxy::caught::caught_now;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::streams::OpenStream;

/// A stream that runs.
#[derive(Debug)]
pub(super) struct Watched {
    /// `None` once it failed itself: bytes pass on unseen.
    watch: Option<Watch>,
    /// Until it is known how the stream ended.
    opening: Option<(Opening, HeaderMap)>,
    since: Instant,
    is_announced: bool,
    metrics: Metrics,
    _open: OpenStream,
}

impl Watched {
    /// `headers`: of the 101.
    pub(super) fn new(mut opening: Opening, watch: Watch, headers: HeaderMap) -> Self {
        opening.answered();
        let metrics = opening.worker.metrics.clone();
        let open = metrics.streams().open();
        Self {
            watch: Some(watch),
            opening: Some((opening, headers)),
            since: Instant::now(),
            is_announced: false,
            metrics,
            _open: open,
        }
    }

    /// Both sides had switched, but could not be joined.
    pub(super) fn lost(&mut self) {
        self.ended(Side::Twilio);
    }

    /// Tells the ledger what became known.
    fn tell(&mut self) {
        let Some(watch) = &self.watch else { return };
        if !self.is_announced
            && let Some(sid) = &watch.report().call_sid
            && let Some((opening, _)) = &self.opening
        {
            self.is_announced = true;
            opening.worker.calls.stream_opened(sid, opening.path());
        }
        if watch.is_over()
            && let Some((opening, headers)) = self.opening.take()
        {
            // Before the bytes that end it go on: Twilio asks for the action right behind them.
            opening.close(watch.report().clone(), switch(headers));
        }
    }
}

impl Watcher for Watched {
    fn see(&mut self, from: Side, chunk: &[u8]) -> Passage {
        let now = self.since.elapsed();
        let Some(watch) = &mut self.watch else { return Passage::But(0) };
        let see = || watch.see(from, chunk, now);
        let Ok(passage) = caught_now(&self.metrics, "watching a stream", see) else {
            self.watch = None;
            return Passage::But(0);
        };
        self.tell();
        passage
    }

    fn ended(&mut self, side: Side) {
        if let Some(watch) = &mut self.watch {
            watch.ended(side, self.since.elapsed());
        }
        self.tell();
    }

    fn is_at_border(&self, from: Side) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.is_at_border(from))
    }

    fn is_over(&self) -> bool {
        self.opening.is_none()
    }
}

impl Drop for Watched {
    /// Cut in the middle: by the guard's own end, or unseen.
    fn drop(&mut self) {
        let now = self.since.elapsed();
        if let Some(watch) = &mut self.watch {
            watch.cut(now);
        }
        self.tell();
    }
}
