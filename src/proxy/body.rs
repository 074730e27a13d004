//! Bodies: those that are read whole, and those that stream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::activity::Busy;
use super::inlet::gate::Witness;
use super::tally::Open;
use super::upstream::{Lease, chain};
use crate::guard::BodyEnd;

/// Why a streamed body ended before its end; whoever reads it sees a cut connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// The sender's connection failed.
    #[error("the body was cut: {0}")]
    Cut(#[from] hyper::Error),
    /// Nothing came for too long.
    #[error("no byte of the body came for {} s", .0.as_secs())]
    Idle(Duration),
}

/// A request's body on its way to the backend.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// Whole, in memory.
    Full(Option<Bytes>),
    /// As it comes from the client, after what was read of it already.
    Stream { read: Option<Bytes>, rest: Incoming, pulse: Pulse },
}

impl RequestBody {
    /// Beats with every piece of it that is sent.
    pub(super) fn pulse(&self) -> Pulse {
        match self {
            Self::Full(_) => Pulse::new(),
            Self::Stream { pulse, .. } => pulse.clone(),
        }
    }

    pub(super) fn full(body: Bytes) -> Self {
        Self::Full(Some(body).filter(|body| !body.is_empty()))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match self.get_mut() {
            Self::Full(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Stream { read, rest, pulse } => {
                pulse.beat();
                if let Some(read) = read.take() {
                    return Poll::Ready(Some(Ok(Frame::data(read))));
                }
                let frame = ready!(Pin::new(rest).poll_frame(cx));
                pulse.beat();
                Poll::Ready(frame.map(|frame| frame.map_err(StreamError::Cut)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(body) => body.is_none(),
            Self::Stream { read, rest, .. } => read.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Stream { read, rest, .. } => {
                let read = read.as_ref().map_or(0, |read| read.len() as u64);
                rest.size_hint().exact().map_or_else(SizeHint::default, |rest| {
                    SizeHint::with_exact(rest.saturating_add(read))
                })
            }
        }
    }
}

/// When something last moved; shared between the two directions of an exchange.
#[derive(Debug, Clone)]
pub(super) struct Pulse(Arc<(Instant, AtomicU64)>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Arc::new((Instant::now(), AtomicU64::new(0))))
    }

    fn beat(&self) {
        let millis = u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.1.store(millis, Relaxed);
    }

    /// Waits until nothing has moved for `limit`.
    pub(super) async fn stops(&self, limit: Duration) {
        loop {
            let last = self.0.0 + Duration::from_millis(self.0.1.load(Relaxed));
            if last + limit <= Instant::now() {
                return;
            }
            sleep_until(last + limit).await;
        }
    }
}

/// What leaves for the client.
#[derive(Debug)]
pub(super) struct ResponseBody {
    kind: Kind,
    _open: Option<Open>,
    _busy: Option<Busy>,
}

#[derive(Debug)]
enum Kind {
    Full(Option<Bytes>),
    Stream(Streamed),
}

/// A body on its way from the backend, with the connection that goes back once it is whole.
#[derive(Debug)]
struct Streamed {
    body: Incoming,
    lease: Option<Lease>,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    reset_when_cut: Option<Witness>,
}

impl ResponseBody {
    pub(super) fn full(body: Bytes) -> Self {
        Self {
            kind: Kind::Full(Some(body).filter(|body| !body.is_empty())),
            _open: None,
            _busy: None,
        }
    }

    /// Streams a backend's body; nothing for `idle` cuts it.
    ///
    /// `reset_when_cut`: the client's connection, if only its reset can say that the body was cut.
    pub(super) fn stream(
        body: Incoming,
        lease: Lease,
        idle: Duration,
        open: Open,
        reset_when_cut: Option<Witness>,
    ) -> Self {
        let mut streamed = Streamed { body, lease: Some(lease), idle, timer: None, reset_when_cut };
        streamed.give_back_at_end();
        Self { kind: Kind::Stream(streamed), _open: Some(open), _busy: None }
    }
}

impl ResponseBody {
    /// The connection is busy as long as this body is not handed on.
    pub(super) fn keeping(self, busy: Busy) -> Self {
        Self { _busy: Some(busy), ..self }
    }
}

impl Streamed {
    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.timer = None;
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.cut(StreamError::Cut(error)),
            Poll::Ready(None) => {
                if let Some(lease) = self.lease.take() {
                    lease.give_back();
                }
                Poll::Ready(None)
            }
            Poll::Pending => {
                let idle = self.idle;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
                ready!(timer.as_mut().poll(cx));
                self.cut(StreamError::Idle(idle))
            }
        }
    }

    fn cut(&mut self, error: StreamError) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        self.lease = None;
        if let Some(witness) = &self.reset_when_cut {
            witness.end_by_reset();
        }
        tracing::warn!(
            error = chain(&error),
            "a passed answer was cut; the client's connection is cut too"
        );
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match &mut self.get_mut().kind {
            Kind::Full(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Kind::Stream(streamed) => streamed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Full(body) => body.is_none(),
            Kind::Stream(streamed) => streamed.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Stream(streamed) => streamed.body.size_hint(),
        }
    }
}

/// How long nothing has to come before a body without a trusted end is looked at.
const QUIET: Duration = Duration::from_millis(200);

/// Reads a body whole: at most `limit` bytes, until `deadline`.
///
/// Whatever came is given, however it ended; of a body that is too large, the piece that was one
/// too many as well, for whoever streams on from there.
pub(super) async fn collect(
    body: &mut Incoming,
    limit: usize,
    mut deadline: Pin<&mut Sleep>,
) -> (Bytes, BodyEnd) {
    let mut read = Collected::default();
    let end = loop {
        tokio::select! {
            biased;
            frame = body.frame() => if let Some(end) = read.take(frame, limit) { break end },
            () = deadline.as_mut() => break BodyEnd::TooLate,
        }
    };
    (read.whole(), end)
}

/// The same for a body whose end nobody announced: it is over, too, when nothing more comes for a
/// moment and `is_whole` says so.
pub(super) async fn collect_unframed(
    body: &mut Incoming,
    limit: usize,
    mut deadline: Pin<&mut Sleep>,
    is_whole: impl Fn(&[u8]) -> bool,
) -> (Bytes, BodyEnd) {
    let mut read = Collected::default();
    let end = loop {
        tokio::select! {
            biased;
            frame = body.frame() => if let Some(end) = read.take(frame, limit) { break end },
            () = deadline.as_mut() => break BodyEnd::TooLate,
            () = sleep(QUIET) => if is_whole(read.so_far()) { break BodyEnd::Complete },
        }
    };
    (read.whole(), end)
}

/// What was read of a body.
#[derive(Debug, Default)]
struct Collected {
    first: Bytes,
    all: Option<BytesMut>,
}

impl Collected {
    /// Takes what came; `Some` when that was the end.
    fn take(
        &mut self,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
        limit: usize,
    ) -> Option<BodyEnd> {
        let data = match frame {
            None => return Some(BodyEnd::Complete),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(_trailers) => return None,
            },
            Some(Err(error)) => return Some(BodyEnd::Truncated { detail: chain(&error) }),
        };
        let is_too_large = data.len() > limit.saturating_sub(self.so_far().len());
        match &mut self.all {
            Some(all) => all.extend_from_slice(&data),
            // The usual answer comes in one piece and is not copied.
            None if self.first.is_empty() => self.first = data,
            None => {
                let len = (self.first.len() + data.len()).max(8 * 1024);
                let mut joined = BytesMut::with_capacity(len);
                joined.extend_from_slice(&self.first);
                joined.extend_from_slice(&data);
                self.all = Some(joined);
            }
        }
        is_too_large.then_some(BodyEnd::TooLarge { limit })
    }

    fn so_far(&self) -> &[u8] {
        self.all.as_ref().map_or(&self.first, |all| all)
    }

    fn whole(self) -> Bytes {
        self.all.map_or(self.first, BytesMut::freeze)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pulse_stops_only_when_nothing_has_moved_for_the_whole_time() {
        let (pulse, start) = (Pulse::new(), Instant::now());
        let other = pulse.clone();
        tokio::spawn(async move {
            for _ in 0..4 {
                sleep(Duration::from_secs(40)).await;
                other.beat();
            }
        });
        pulse.stops(Duration::from_mins(1)).await;
        assert_eq!(start.elapsed().as_secs(), 4 * 40 + 60);
    }
}
