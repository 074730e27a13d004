//! A request's body, on its way from the client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::wire::Shared;

/// A request's body. What is not read of it is thrown away, or its connection closed.
#[derive(Debug)]
pub(crate) struct Incoming(Kind);

#[derive(Debug)]
enum Kind {
    /// All of it is there, or nothing is left of it.
    Here(Bytes),
    /// It is still to be read.
    Coming(Shared),
}

impl Incoming {
    /// A body that is there.
    pub(crate) fn here(body: Bytes) -> Self {
        Self(Kind::Here(body))
    }

    /// The whole body, where all of it is there; nothing is left of it then.
    pub(crate) fn take_here(&mut self) -> Option<Bytes> {
        match &mut self.0 {
            Kind::Here(body) => Some(std::mem::take(body)),
            Kind::Coming(_) => None,
        }
    }

    /// A body that is read from its connection.
    pub(super) fn coming(from: Shared) -> Self {
        Self(Kind::Coming(from))
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut self.0 {
            Kind::Here(body) if body.is_empty() => None,
            Kind::Here(body) => Some(Ok(std::mem::take(body))),
            Kind::Coming(wire) => ready!(wire.lock().poll_body(cx)),
        };
        if piece.is_none() {
            // The connection is free for whoever wants it alone.
            self.0 = Kind::Here(Bytes::new());
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Here(body) => body.is_empty(),
            Kind::Coming(wire) => wire.lock().is_between(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Here(body) => SizeHint::with_exact(body.len() as u64),
            Kind::Coming(wire) => {
                wire.lock().left().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}
