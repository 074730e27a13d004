//! A client's connection as it is read: heads, and the bodies behind them.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::paced::Paced;
use super::fault::Fault;
use super::follow::{Follower, Step, What};
use super::head::{Head, Limits};
use super::layout::Layout;
use super::refused::Refusals;

/// Bytes that are read at once where a head is awaited; no memory is held for them meanwhile.
const PIECE: usize = 8 * 1024;

/// Bytes of a body that are read at once.
const BODY_PIECE: usize = 64 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A client's connection. Only what the strict reader understood leaves it, and only as what it was
/// understood.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Paced,
    refusals: Refusals,
    follower: Follower,
    /// Read and not used yet.
    held: BytesMut,
    /// The connection ended, or failed.
    is_over: bool,
    /// What is still to be written before the client sends its body.
    invitation: &'static [u8],
}

/// A connection that its requests' bodies read from as well. Nobody waits for anybody: they take
/// turns in one task, or the body is read where the connection is waiting.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Wire>>);

/// What came where a request was awaited.
#[derive(Debug)]
pub(super) enum Came {
    /// A head, byte for byte, and where its parts stand.
    Head(Head, Bytes, Layout),
    /// What is none.
    Refused(Fault),
    /// The end.
    End,
}

impl Shared {
    pub(super) fn new(stream: Paced, limits: Limits, refusals: Refusals) -> Self {
        Self(Arc::new(Mutex::new(Wire {
            stream,
            refusals,
            follower: Follower::new(limits),
            held: BytesMut::new(),
            is_over: false,
            invitation: b"",
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a body may still be read from it.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// The connection, and what was read of what follows, once nobody else holds it.
    pub(super) fn into_parts(self) -> Option<(Paced, Bytes)> {
        let wire = Arc::into_inner(self.0)?.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some((wire.stream, wire.held.freeze()))
    }
}

impl Wire {
    /// Waits for the next request's head.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Came>> {
        loop {
            if !self.held.is_empty() {
                let Step { used, what } = self.follower.step(&self.held);
                match what {
                    What::Head(head) => {
                        let bytes = self.held.split_to(used).freeze();
                        let layout = self.follower.take_layout();
                        return Poll::Ready(Ok(Came::Head(head, bytes, layout)));
                    }
                    What::Refused(fault) => {
                        self.refusals.note(&fault);
                        return Poll::Ready(Ok(Came::Refused(fault)));
                    }
                    What::More => {}
                    // Whoever asks for a head has left neither body nor handshake behind.
                    What::Data(_) | What::Handshake | What::Broken(_) => {
                        return Poll::Ready(Ok(Came::End));
                    }
                }
            }
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Ok(Came::End));
            }
        }
    }

    /// The next piece of the body; `None` at its end.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if self.follower.is_between() {
                return Poll::Ready(None);
            }
            if !self.held.is_empty() {
                let Step { used, what } = self.follower.step(&self.held);
                let mut taken = self.held.split_to(used);
                match what {
                    What::Data(len) => {
                        let data = taken.split_off(used - len).freeze();
                        return Poll::Ready(Some(Ok(data)));
                    }
                    What::Broken(fault) => {
                        self.refusals.note(&fault);
                        let error = io::Error::new(io::ErrorKind::InvalidData, fault.why);
                        return Poll::Ready(Some(Err(error)));
                    }
                    What::More if used > 0 => continue,
                    What::More => {}
                    What::Head(_) | What::Refused(_) | What::Handshake => {
                        return Poll::Ready(None);
                    }
                }
            }
            if let Err(error) = ready!(self.poll_invite(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            match ready!(self.poll_fill_body(cx)) {
                Ok(0) => {
                    let text = "the connection ended before the body did";
                    return Poll::Ready(Some(Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        text,
                    ))));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// The whole body, where all of it came with its head; its data is not copied.
    pub(super) fn take_whole(&mut self) -> Option<Bytes> {
        let left = usize::try_from(self.follower.left()?).ok()?;
        if left == 0 {
            return Some(Bytes::new());
        }
        if self.held.len() < left {
            return None;
        }
        let Step { used, .. } = self.follower.step(self.held.get(..left).unwrap_or_default());
        Some(self.held.split_to(used).freeze())
    }

    /// How much of a body of known length is still to come.
    pub(super) fn left(&self) -> Option<u64> {
        self.follower.left()
    }

    /// Whether the body is over.
    pub(super) fn is_between(&self) -> bool {
        self.follower.is_between()
    }

    /// The client waits for a word before it sends its body: it gets it when the body is read.
    pub(super) fn invites(&mut self) {
        self.invitation = CONTINUE;
    }

    /// An answer comes first: the client was not invited, and sends its body or not.
    pub(super) fn is_uninvited(&mut self) -> bool {
        !std::mem::take(&mut self.invitation).is_empty()
    }

    /// Throws away what has come of the body; whether it is over.
    pub(super) fn discard(&mut self) -> bool {
        while !self.follower.is_between() {
            let Step { used, what } = self.follower.step(&self.held);
            if used == 0 || !matches!(what, What::Data(_) | What::More) {
                return false;
            }
            drop(self.held.split_to(used));
        }
        true
    }

    /// A connection at rest keeps no memory.
    pub(super) fn rest(&mut self) {
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }

    /// Whether a request was begun, or read ahead.
    pub(super) fn has_begun(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the client may still be sending what nobody will read.
    pub(super) fn is_amid(&self) -> bool {
        !(self.is_over || self.follower.is_between() && self.held.is_empty())
    }

    fn poll_invite(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.invitation.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.invitation))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.invitation = self.invitation.get(written..).unwrap_or_default();
            if self.invitation.is_empty() {
                return Pin::new(&mut self.stream).poll_flush(cx);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on; how many bytes came, 0 at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut space);
        let polled = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece));
        self.is_over = polled.is_err() || piece.filled().is_empty();
        polled?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(piece.filled().len()))
    }

    /// The same for the rest of a body, which may be large: it is not copied.
    fn poll_fill_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let left = self.follower.left().and_then(|left| usize::try_from(left).ok());
        let wanted = left.map_or(PIECE, |left| left.clamp(1, BODY_PIECE));
        self.held.reserve(wanted);
        let polled =
            ready!(tokio_util::io::poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.held));
        self.is_over = !matches!(polled, Ok(1..));
        Poll::Ready(polled)
    }
}
