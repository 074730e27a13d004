//! A stream that runs: the watcher between pipe, ledger and record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use http::HeaderMap;

use super::opening::{Opening, switch};
use super::pipe::Watcher;
use crate::guard::stream::Side;
use crate::guard::watch::{Passage, Watch};
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
    _open: OpenStream,
}

impl Watched {
    /// `headers`: of the 101.
    pub(super) fn new(mut opening: Opening, watch: Watch, headers: HeaderMap) -> Self {
        opening.answered();
        let open = opening.worker.metrics.streams().open();
        Self {
            watch: Some(watch),
            opening: Some((opening, headers)),
            since: Instant::now(),
            is_announced: false,
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
        let seen = catch_unwind(AssertUnwindSafe(|| watch.see(from, chunk, now)));
        let Ok(passage) = seen else {
            tracing::error!("the watcher of a stream panicked; please report it");
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
