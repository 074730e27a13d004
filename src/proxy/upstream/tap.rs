//! A look at what arrives on a connection, below the HTTP reader.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// First bytes of an answer that are kept for the record.
const KEPT: usize = 4 * 1024;

/// Most bytes before an answer's status line and headers are complete, interim answers included.
const MAX_HEAD: usize = 256 * 1024;

/// What a connection received since its current request was sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Tap(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    first: Vec<u8>,
    before_head: usize,
    head_is_done: bool,
    fault: Option<io::ErrorKind>,
}

impl Tap {
    /// Starts anew: a request is about to be sent.
    pub(super) fn reset(&self) {
        let mut seen = self.lock();
        seen.first.clear();
        seen.before_head = 0;
        seen.head_is_done = false;
        seen.fault = None;
    }

    /// The answer's head is complete: from now on the bytes are its body.
    pub(super) fn head_is_done(&self) {
        self.lock().head_is_done = true;
    }

    /// The first bytes received, at most 4 KiB.
    pub(super) fn received(&self) -> Bytes {
        Bytes::copy_from_slice(&self.lock().first)
    }

    /// The error that reading or writing met, if any: the HTTP reader may hide it.
    pub(super) fn fault(&self) -> Option<io::ErrorKind> {
        self.lock().fault
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut seen = self.lock();
        if seen.head_is_done {
            return Ok(());
        }
        let room = KEPT - seen.first.len().min(KEPT);
        seen.first.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or(bytes));
        seen.before_head += bytes.len();
        if seen.before_head > MAX_HEAD {
            let text = format!("more than {MAX_HEAD} bytes and still no complete head");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) {
        self.lock().fault = Some(error.kind());
    }
}

/// A TCP stream that shows what it receives to a [`Tap`].
#[derive(Debug)]
pub(super) struct Tapped {
    stream: TcpStream,
    tap: Tap,
}

impl Tapped {
    pub(super) fn new(stream: TcpStream) -> (Self, Tap) {
        let tap = Tap::default();
        (Self { stream, tap: tap.clone() }, tap)
    }

    fn noting<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            self.tap.failed(error);
        }
        polled
    }
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let polled = match polled {
            Poll::Ready(Ok(())) => {
                Poll::Ready(self.tap.saw(buf.filled().get(before..).unwrap_or_default()))
            }
            other => other,
        };
        self.noting(polled)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.noting(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.noting(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
