//! Bodies on their way: those that stream, and those that are whole already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::inlet::body::Incoming as ClientBody;
use super::pulse::Pulse;
use super::tally::Open;
use super::upstream::{AnswerBody, BodyError, chain};

/// Why a streamed body ended before its end; whoever reads it sees a cut connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    /// The client's connection failed.
    #[error("the body was cut: {0}")]
    Client(#[from] io::Error),
    /// The backend's connection failed.
    #[error("the body was cut: {0}")]
    Cut(#[from] BodyError),
    /// Nothing came for too long.
    #[error("no byte of the body came for {} s (pass_idle_timeout)", .0.as_secs())]
    Idle(Duration),
}

/// A request's body on its way to the backend.
#[derive(Debug)]
pub(super) enum RequestBody {
    /// Whole, in memory.
    Full(Option<Bytes>),
    /// As it comes from the client, after what was read of it already.
    Stream { read: Option<Bytes>, rest: ClientBody, pulse: Pulse },
}

impl RequestBody {
    /// Beats with every piece of it that is sent.
    pub(super) fn pulse(&self) -> Pulse {
        match self {
            Self::Full(_) => {
                let pulse = Pulse::new();
                pulse.sent();
                pulse
            }
            Self::Stream { rest, pulse, .. } => {
                if rest.is_end_stream() {
                    pulse.sent();
                }
                pulse.clone()
            }
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
                if let Some(read) = read.take() {
                    pulse.moved(read.len());
                    return Poll::Ready(Some(Ok(Frame::data(read))));
                }
                let polled = Pin::new(&mut *rest).poll_frame(cx);
                pulse.waits_for_client(polled.is_pending());
                let frame = ready!(polled);
                if let Some(Ok(frame)) = &frame {
                    pulse.moved(frame.data_ref().map_or(0, Bytes::len));
                }
                if frame.is_none() || rest.is_end_stream() {
                    pulse.sent();
                }
                Poll::Ready(frame.map(|frame| frame.map_err(StreamError::Client)))
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

/// What leaves for the client.
#[derive(Debug)]
pub(super) struct ResponseBody {
    kind: Kind,
    _open: Option<Open>,
}

#[derive(Debug)]
enum Kind {
    Full(Option<Bytes>),
    Stream(Box<Streamed>),
}

/// A body on its way from the backend, with the connection that goes back once it is whole.
#[derive(Debug)]
struct Streamed {
    /// Gone once it is over.
    body: Option<AnswerBody>,
    idle: Duration,
    /// Of the request, which may still be on its way.
    pulse: Pulse,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the last piece of it came.
    last: Instant,
}

impl ResponseBody {
    pub(super) fn full(body: Bytes) -> Self {
        Self { kind: Kind::Full(Some(body).filter(|body| !body.is_empty())), _open: None }
    }

    /// Streams a backend's body; nothing for `idle` cuts it, unless the request still moves.
    pub(super) fn stream(body: AnswerBody, (idle, pulse): (Duration, Pulse), open: Open) -> Self {
        let mut streamed =
            Streamed { body: Some(body), idle, pulse, timer: None, last: Instant::now() };
        streamed.give_back_at_end();
        Self { kind: Kind::Stream(Box::new(streamed)), _open: Some(open) }
    }
}

impl Streamed {
    fn give_back_at_end(&mut self) {
        if let Some(body) = self.body.take_if(|body| body.is_end_stream()) {
            body.give_back();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.last = Instant::now();
                self.give_back_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.cut(StreamError::Cut(error)),
            Poll::Ready(None) => {
                self.give_back_at_end();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let idle = self.idle;
                // Set once for all pieces: where it goes off, it is seen whether one came meanwhile.
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
                loop {
                    ready!(timer.as_mut().poll(cx));
                    let end = self.pulse.last().max(self.last) + idle;
                    if end <= Instant::now() {
                        return self.cut(StreamError::Idle(idle));
                    }
                    timer.as_mut().reset(end);
                }
            }
        }
    }

    fn cut(&mut self, error: StreamError) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        self.body = None;
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
            Kind::Stream(streamed) => streamed.body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Full(body) => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Stream(streamed) => {
                streamed.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
            }
        }
    }
}
