//! One connection to a backend: a socket, and where it reads to.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::OddHeads;
use super::answer::{Reader, Whole};
use super::outgoing::{Outgoing, Unsent};
use crate::proxy::socket::Socket;

/// Room for the first read of an answer: the usual one comes whole.
const FIRST_READ: usize = 8 * 1024;

/// Room for one read of a body that comes fast: each read wakes the worker, and each write the client.
const LARGEST_READ: usize = 128 * 1024;

/// The same where nobody has said how much is still to come, as of chunks.
const LARGEST_OPEN_READ: usize = 256 * 1024;

/// Room for a read of what ends soon.
const SMALL_READ: usize = 4 * 1024;

/// Where more is wanted, less room than this is not read into.
const LEAST_READ: usize = 16 * 1024;

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    /// What is read goes here; no memory while the connection is idle.
    room: BytesMut,
    /// So much room is made at a time.
    stride: usize,
}

/// Why no answer's head came.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) why: Why,
    /// The first bytes that came instead.
    pub(super) received: Bytes,
}

/// See [`Fault`].
#[derive(Debug)]
pub(super) enum Why {
    /// The connection ended.
    Ended,
    /// It failed.
    Io(io::Error),
    /// What came is no answer.
    NotHttp(String),
    /// The request's body could not be had.
    Request(String),
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, room: BytesMut::new(), stride: FIRST_READ }
    }

    /// Sends a request, as far as that is possible before the head of an answer comes.
    pub(super) fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Outgoing,
        odd_heads: OddHeads,
        reader: &mut Reader,
    ) -> Poll<Result<Whole, Fault>> {
        let why = match self.poll_both(cx, request, odd_heads, reader) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(head)) => return Poll::Ready(Ok(head)),
            Poll::Ready(Err(why)) => why,
        };
        Poll::Ready(Err(Fault { why, received: Reader::received(&self.room) }))
    }

    fn poll_both(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Outgoing,
        odd_heads: OddHeads,
        reader: &mut Reader,
    ) -> Poll<Result<Whole, Why>> {
        let unsent = match request.poll_send(cx, &mut self.socket) {
            Poll::Ready(Err(Unsent::Body(detail))) => {
                return Poll::Ready(Err(Why::Request(detail)));
            }
            Poll::Ready(Err(Unsent::Io(error))) => Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        };
        loop {
            let wanted = if self.room.is_empty() { FIRST_READ } else { self.room.len() };
            match self.poll_fill(cx, wanted) {
                // A backend may answer and look at no more of the request.
                Poll::Pending => match unsent {
                    Some(error) => return Poll::Ready(Err(Why::Io(error))),
                    None => return Poll::Pending,
                },
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Why::Io(error))),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Why::Ended)),
                Poll::Ready(Ok(_)) => {}
            }
            match reader.read(&mut self.room, odd_heads) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(detail) => return Poll::Ready(Err(Why::NotHttp(detail))),
            }
        }
    }

    /// Reads more of a body; at its end, nothing. `most`: so much is wanted at most.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>, most: u64) -> Poll<io::Result<Bytes>> {
        // Room for all of it, where it is known how much that is; what is not written to costs nothing.
        let wanted = match usize::try_from(most) {
            Ok(most) if most <= LARGEST_READ => most.max(SMALL_READ),
            _ => self.stride,
        };
        ready!(self.poll_fill(cx, wanted))?;
        if self.room.len() == self.room.capacity() {
            let largest = if most == u64::MAX { LARGEST_OPEN_READ } else { LARGEST_READ };
            self.stride = largest.min(4 * self.stride);
        }
        Poll::Ready(Ok(self.room.split().freeze()))
    }

    /// The same, to where it is wanted: behind what `all` holds.
    pub(super) fn poll_into(
        &mut self,
        cx: &mut Context<'_>,
        most: u64,
        all: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if all.capacity() - all.len() < most.min(LEAST_READ) {
            all.reserve(most.min(LARGEST_READ));
        }
        let mut room = all.limit(most);
        pin!(self.socket.read_buf(&mut room)).poll(cx)
    }

    /// Reads once, behind what was read already. `wanted`: room for so much is made.
    fn poll_fill(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        if self.room.capacity() - self.room.len() < wanted.min(LEAST_READ) {
            self.room.reserve(wanted.max(SMALL_READ));
        }
        pin!(self.socket.read_buf(&mut self.room)).poll(cx)
    }

    /// Whether a request can be sent: the backend has not closed it, and sent nothing that nobody
    /// asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.room.is_empty() && self.socket.is_quiet()
    }

    /// The same, asked of the system: what came in the last moment, the reactor has not told yet.
    pub(super) fn is_quiet_now(&self) -> bool {
        self.socket.is_quiet_now()
    }

    /// Gives memory back until it is used again.
    pub(super) fn rest(&mut self) {
        (self.room, self.stride) = (BytesMut::new(), FIRST_READ);
    }
}
