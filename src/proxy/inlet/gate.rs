//! The client's connection, below the HTTP library: lets through only what is understood.
//!
//! Each head that is fine passes unaltered, and its verdict waits for the service in the same
//! order. In place of one that is not, the library gets a stand-in, whose answer is the refusal;
//! nothing behind it is read as a request. A body that breaks its own framing ends in an error, so
//! that it never looks whole. Behind a WebSocket handshake nothing passes until it is confirmed, and
//! everything from then on.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::super::paced::Paced;
use super::fault::{Fault, syntax};
use super::follow::{Follower, Next};
use super::head::{Head, Limits};
use super::refused::Refusals;

/// What the HTTP library reads in place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused\r\n\r\n";

/// Bytes that are read at once where they can't go straight to the HTTP library.
const PIECE: usize = 8 * 1024;

/// What is read and thrown away behind the last answer, so that the client can read it: what
/// arrives at a closed socket makes the system reset the connection, answer and all.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// What is known of a client's connection beyond what the HTTP library tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    verdicts: VecDeque<Result<Head, Fault>>,
    is_switched: bool,
    ends_by_reset: bool,
}

impl Witness {
    /// What the next request is; to be asked once for each.
    pub(crate) fn verdict(&self) -> Result<Head, Fault> {
        let unseen = Err(syntax("the request could not be followed"));
        self.lock().verdicts.pop_front().unwrap_or(unseen)
    }

    /// The handshake is confirmed: what follows belongs to the other protocol.
    pub(crate) fn switch(&self) {
        self.lock().is_switched = true;
    }

    /// An answer whose end is the connection's end was cut: only a reset tells the client so.
    pub(crate) fn end_by_reset(&self) {
        self.lock().ends_by_reset = true;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct Gate {
    stream: Paced,
    witness: Witness,
    refusals: Refusals,
    follower: Follower,
    next: Next,
    /// Read and not handed on.
    held: BytesMut,
    /// So many of them may be.
    ready: usize,
    /// Whether both sides have switched protocols.
    is_open: bool,
    linger: Option<Linger>,
}

#[derive(Debug)]
struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl Gate {
    pub(crate) fn new(stream: Paced, limits: Limits, refusals: Refusals) -> (Self, Witness) {
        let witness = Witness::default();
        let gate = Self {
            stream,
            witness: witness.clone(),
            refusals,
            follower: Follower::new(limits),
            next: Next::More,
            held: BytesMut::new(),
            ready: 0,
            is_open: false,
            linger: None,
        };
        (gate, witness)
    }

    /// Follows bytes; how many may be handed on.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let (witness, refusals) = (&self.witness, &self.refusals);
        let before = self.next;
        let (used, next) = self.follower.follow(bytes, |verdict| {
            if let Err(fault) = &verdict {
                refusals.note(fault);
            }
            witness.lock().verdicts.push_back(verdict);
        });
        self.next = next;
        if let (Next::More, Next::Broken(fault)) = (before, next) {
            refusals.note(&fault);
        }
        used
    }

    /// Keeps what is left behind the bytes that may be handed on, for as long as it means something.
    fn hold(&mut self, rest: &[u8]) {
        match self.next {
            Next::More | Next::Handshake => self.held.extend_from_slice(rest),
            Next::Refused => {
                self.held.extend_from_slice(STAND_IN);
                self.ready = self.held.len();
            }
            Next::Broken(_) => {}
        }
    }

    /// Reads straight into the library's buffer.
    fn poll_direct(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if fresh.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let used = self.follow(fresh);
        self.hold(fresh.get(used..).unwrap_or_default());
        buf.set_filled(before + used);
        Poll::Ready(Ok(used > 0))
    }

    /// Reads behind the beginning of a head; `false` at the connection's end.
    fn poll_behind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        if piece.filled().is_empty() {
            self.held = BytesMut::new();
            return Poll::Ready(Ok(false));
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(piece.filled());
        let used = self.follow(&all);
        self.ready = used;
        match self.next {
            Next::More | Next::Handshake => self.held = all,
            Next::Refused | Next::Broken(_) => {
                all.truncate(used);
                self.held = all;
                self.hold(&[]);
            }
        }
        Poll::Ready(Ok(true))
    }

    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let len = self.ready.min(buf.remaining());
        buf.put_slice(self.held.get(..len).unwrap_or_default());
        self.held.advance(len);
        self.ready -= len;
        if self.held.is_empty() {
            // A connection at rest keeps no memory.
            self.held = BytesMut::new();
        }
    }

    /// Whether the client may still be sending what nobody will read.
    fn is_amid(&self) -> bool {
        let is_between = self.follower.is_between() && self.held.is_empty();
        !self.is_open && !is_between && !self.witness.lock().ends_by_reset
    }
}

impl Linger {
    fn new() -> Self {
        Self { until: Box::pin(sleep(LINGER)), left: LINGER_BYTES }
    }

    fn poll(&mut self, stream: &mut Paced, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        while self.left > 0 {
            if self.until.as_mut().poll(cx).is_ready() {
                break;
            }
            let mut piece = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut *stream).poll_read(cx, &mut piece));
            if read.is_err() || piece.filled().is_empty() {
                break;
            }
            self.left = self.left.saturating_sub(piece.filled().len());
        }
        Poll::Ready(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.witness.lock().ends_by_reset {
            self.stream.end_by_reset();
        }
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.ready > 0 {
                this.hand_on(buf);
                return Poll::Ready(Ok(()));
            }
            if this.is_open {
                return Pin::new(&mut this.stream).poll_read(cx, buf);
            }
            match this.next {
                Next::More if this.held.is_empty() => {
                    if ready!(this.poll_direct(cx, buf))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Next::More => {
                    if !ready!(this.poll_behind(cx))? {
                        return Poll::Ready(Ok(()));
                    }
                }
                Next::Handshake if this.witness.lock().is_switched => {
                    this.is_open = true;
                    this.ready = this.held.len();
                }
                // Whoever switches reads anew.
                Next::Handshake => return Poll::Pending,
                Next::Refused => return Poll::Ready(Ok(())),
                Next::Broken(fault) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault.why)));
                }
            }
        }
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.is_amid() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(Linger::new);
        linger.poll(&mut this.stream, cx).map(Ok)
    }
}
