//! A client's connection that keeps account of who waits for whom, and ends when it was ended.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::{Activity, Ended};
use super::listener::Permit;
use super::socket::Socket;

/// What a client is told whose head took too long.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\n\
    Content-Length: 44\r\nConnection: close\r\n\r\ntwiml-guard: the request's head is too slow\n";

/// A client's connection below HTTP. It holds its place among the open ones while it lives, as a
/// tunnel too.
#[derive(Debug)]
pub(super) struct Paced {
    stream: Socket,
    activity: Arc<Activity>,
    /// Whether what waits for the client waits below this, in TLS.
    flushes: bool,
    _permit: Permit,
}

impl Paced {
    pub(super) fn new(stream: Socket, activity: Arc<Activity>, permit: Permit) -> Self {
        Self { stream, activity, flushes: false, _permit: permit }
    }

    /// Its end will be a reset, which tells the peer that something was cut.
    pub(super) fn end_by_reset(&self) {
        self.stream.end_by_reset();
    }

    /// Whether the client speaks TLS.
    pub(super) fn is_tls(&self) -> bool {
        !matches!(self.stream, Socket::Bare(_))
    }

    /// The last read of a connection that was ended.
    fn last_read(
        &mut self,
        ended: Ended,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ended {
            Ended::Head => {
                // What is left unread would turn the end into a reset, and the answer would be lost.
                let mut unread = [0; 4096];
                let _ = Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut unread));
                let _ = Pin::new(&mut self.stream).poll_write(cx, TOO_SLOW);
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
                let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
            }
            Ended::Idle | Ended::Room if !self.activity.is_in_head() => {
                let before = buf.filled().len();
                let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
                if matches!(polled, Poll::Ready(Ok(()))) && buf.filled().len() > before {
                    self.activity.reprieve();
                    self.activity.received();
                    return polled;
                }
            }
            Ended::Handshake | Ended::Idle | Ended::Room | Ended::Write => {}
        }
        Poll::Ready(Err(self.overdue(ended)))
    }

    fn overdue(&self, ended: Ended) -> io::Error {
        if ended == Ended::Write {
            // What waits for the client would keep the system busy for minutes.
            self.end_by_reset();
        }
        io::Error::new(io::ErrorKind::TimedOut, "the client was too slow")
    }

    /// Does a piece of writing that takes `wanted` bytes at most, and keeps account.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
        write: impl FnOnce(Pin<&mut Socket>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Some(Ended::Write) = self.activity.ended() {
            return Poll::Ready(Err(self.overdue(Ended::Write)));
        }
        let polled = write(Pin::new(&mut self.stream), cx);
        match &polled {
            Poll::Pending => self.wait(cx),
            Poll::Ready(Ok(taken)) => self.activity.took(*taken, *taken == wanted),
            Poll::Ready(Err(_)) => {}
        }
        polled
    }

    /// Empties what lies below.
    fn settle(
        &mut self,
        cx: &mut Context<'_>,
        settle: impl FnOnce(Pin<&mut Socket>, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        if let Some(Ended::Write) = self.activity.ended() {
            return Poll::Ready(Err(self.overdue(Ended::Write)));
        }
        let polled = settle(Pin::new(&mut self.stream), cx);
        if polled.is_pending() {
            self.wait(cx);
            self.flushes = true;
        } else if std::mem::take(&mut self.flushes) {
            self.activity.took(0, true);
        }
        polled
    }

    fn wait(&self, cx: &Context<'_>) {
        self.activity.writer().register(cx.waker());
        self.activity.blocked();
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(ended) = self.activity.ended() {
            return self.last_read(ended, cx, buf);
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_pending() {
            self.activity.reader().register(cx.waker());
        } else if buf.filled().len() > before {
            self.activity.received();
        }
        polled
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        self.write(cx, wanted, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle(cx, AsyncWrite::poll_flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle(cx, AsyncWrite::poll_shutdown)
    }
}
