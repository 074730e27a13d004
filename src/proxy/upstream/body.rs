//! The body of an answer, on the connection that it comes on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};

use super::framing::{Framing, Piece};
use super::outgoing::{Outgoing, Unsent};
use super::pool::Lease;
use crate::proxy::http1::tunnel::Tunnel;
use crate::proxy::socket::Socket;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum BodyError {
    /// Its connection failed, or its framing is broken.
    #[error("error reading a body from connection: {0}")]
    Read(io::Error),
    /// The request could not be sent to its end, which is none of the backend's doing.
    #[error("the request's own body was cut: {0}")]
    Request(String),
}

/// A body that is read from its connection as it is asked for. Dropping it closes the connection,
/// unless it was given back.
#[derive(Debug)]
pub(in crate::proxy) struct AnswerBody {
    framing: Framing,
    /// What came and was not given yet.
    came: Bytes,
    lease: Lease,
    /// The request, as long as it is on its way.
    sending: Option<Box<Outgoing>>,
    /// Whether the connection may be used again.
    keeps: bool,
}

impl AnswerBody {
    /// `came`: what came behind the head; `sending`: what of the request is still to be sent.
    pub(super) fn new(
        framing: Framing,
        came: Bytes,
        lease: Lease,
        keeps: bool,
        sending: Option<Outgoing>,
    ) -> Self {
        Self { framing, came, lease, sending: sending.map(Box::new), keeps }
    }

    /// The connection, for another protocol.
    pub(super) fn into_tunnel(self) -> Tunnel<Socket> {
        Tunnel::new(self.came, self.lease.connection.socket)
    }

    /// The exchange went well: the connection may serve another one, if the body was read to its
    /// proper end, and nothing stands against it. Otherwise it is closed.
    pub(in crate::proxy) fn give_back(self) {
        let is_over = self.framing.is_over() && self.came.is_empty() && self.sending.is_none();
        if is_over && self.keeps {
            self.lease.give_back();
        }
    }

    /// Whether nothing but data comes next, to be read to wherever it is wanted.
    pub(in crate::proxy) fn comes_plainly(&self) -> bool {
        matches!(self.framing, Framing::Length(_)) && self.came.is_empty()
    }

    /// Reads on behind what `all` holds, without a copy; of what [`AnswerBody::comes_plainly`].
    pub(in crate::proxy) fn poll_into(
        &mut self,
        cx: &mut Context<'_>,
        all: &mut BytesMut,
    ) -> Poll<Result<(), BodyError>> {
        let Framing::Length(left) = &self.framing else { return Poll::Ready(Ok(())) };
        let (left, before) = (*left, all.len());
        self.send(cx)?;
        // A byte more than is wanted shows that nobody asked for it.
        let read = ready!(self.lease.connection.poll_into(cx, left.saturating_add(1), all));
        let taken = match read {
            Ok(0) => self.framing.end().map_err(|why| broken(io::ErrorKind::UnexpectedEof, why)),
            Ok(came) => {
                let own = self.framing.skip(came);
                self.keeps &= own == came;
                all.truncate(before + own);
                Ok(())
            }
            Err(error) => Err(BodyError::Read(error)),
        };
        if taken.is_err() {
            (self.framing, self.keeps) = (Framing::Over, false);
        }
        Poll::Ready(taken)
    }

    /// Goes on sending the request.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        let Some(request) = &mut self.sending else { return Ok(()) };
        match request.poll_send(cx, &mut self.lease.connection.socket) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.sending = None,
            // The backend wants no more of it.
            Poll::Ready(Err(Unsent::Io(_))) => (self.sending, self.keeps) = (None, false),
            Poll::Ready(Err(Unsent::Body(detail))) => {
                return Err(BodyError::Request(detail));
            }
        }
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Piece>, BodyError>> {
        loop {
            let taken = self.framing.take(&mut self.came);
            if let Some(piece) = taken.map_err(|why| broken(io::ErrorKind::InvalidData, why))? {
                return Poll::Ready(Ok(Some(piece)));
            }
            if self.framing.is_over() {
                return Poll::Ready(Ok(None));
            }
            self.send(cx)?;
            let read = ready!(self.lease.connection.poll_body(cx, self.framing.wanted()));
            self.came = read.map_err(BodyError::Read)?;
            if self.came.is_empty() {
                self.keeps = false;
                self.framing.end().map_err(|why| broken(io::ErrorKind::UnexpectedEof, why))?;
            }
        }
    }
}

fn broken(kind: io::ErrorKind, why: &'static str) -> BodyError {
    BodyError::Read(io::Error::new(kind, why))
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = ready!(self.poll(cx));
        if polled.is_err() {
            (self.framing, self.keeps) = (Framing::Over, false);
        }
        Poll::Ready(polled.transpose().map(|piece| {
            piece.map(|piece| match piece {
                Piece::Data(data) => Frame::data(data),
                Piece::Trailers(all) => Frame::trailers(all),
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.framing.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.framing.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
