//! A request on its way out.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, HeaderName, TRAILER, TRANSFER_ENCODING};
use http::{Extensions, HeaderMap, Method, Request};
use hyper::body::Body;
use tokio::io::AsyncWrite;

use super::failure::chain;
use crate::proxy::body::RequestBody;
use crate::proxy::headers::{is_acted_on, tokens};
use crate::proxy::http1::encode;
use crate::proxy::socket::Socket;

/// Bodies up to this size are copied behind their head: one write for both.
const COPIED: usize = 16 * 1024;

/// A request, encoded as far as it is at hand.
#[derive(Debug)]
pub(in crate::proxy) struct Outgoing {
    /// What is to be written next: the head, chunk sizes, and what is small.
    near: Vec<u8>,
    /// A large piece of the body behind it.
    piece: Bytes,
    /// What ends that piece.
    tail: &'static [u8],
    /// How much of these three is written.
    at: usize,
    /// Whether anything was written on the connection that has it now.
    is_begun: bool,
    /// What of the body is still to come.
    rest: Option<Rest>,
    /// Whether all of it is here, so that it can be sent again.
    is_whole: bool,
    is_head: bool,
}

#[derive(Debug)]
struct Rest {
    body: RequestBody,
    framing: Framing,
}

#[derive(Debug)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// With the names of the trailers that were announced.
    Chunked(Vec<HeaderName>),
}

/// Why a request was not sent to its end.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The connection failed.
    Io(io::Error),
    /// Its body could not be had from the client.
    Body(String),
}

impl Outgoing {
    /// A request with its whole body. Its length stands in its headers, where there is one.
    pub(in crate::proxy) fn whole(
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        extensions: &Extensions,
        body: &Bytes,
    ) -> Self {
        let mut near = head(method, target, headers, extensions, body.len().min(COPIED));
        near.extend_from_slice(b"\r\n");
        let mut piece = Bytes::new();
        if body.len() <= COPIED {
            near.extend_from_slice(body);
        } else {
            piece = body.clone();
        }
        Self::new(method, near, piece, None)
    }

    /// A request whose body may still come.
    pub(in crate::proxy) fn streamed(request: Request<RequestBody>) -> Self {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut near = head(&parts.method, target, &parts.headers, &parts.extensions, 0);
        if body.is_end_stream() {
            near.extend_from_slice(b"\r\n");
            return Self::new(&parts.method, near, Bytes::new(), None);
        }
        let said = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let framing = match said.and_then(|length| length.parse().ok()) {
            Some(length) => Framing::Length(length),
            None => {
                if let Some(length) = body.size_hint().exact() {
                    near.extend_from_slice(b"Content-Length: ");
                    encode::decimal(&mut near, length);
                    near.extend_from_slice(b"\r\n");
                    Framing::Length(length)
                } else {
                    near.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
                    let named = tokens(&parts.headers, &TRAILER);
                    let named = named.filter_map(|name| HeaderName::try_from(name).ok());
                    Framing::Chunked(named.collect())
                }
            }
        };
        near.extend_from_slice(b"\r\n");
        Self::new(&parts.method, near, Bytes::new(), Some(Rest { body, framing }))
    }

    fn new(method: &Method, near: Vec<u8>, piece: Bytes, rest: Option<Rest>) -> Self {
        Self {
            near,
            piece,
            tail: b"",
            at: 0,
            is_begun: false,
            is_whole: rest.is_none(),
            is_head: *method == Method::HEAD,
            rest,
        }
    }

    /// Whether the answer to it has a body, as far as that depends on the request.
    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether nothing of it was written, so that another connection may have it.
    pub(in crate::proxy) fn is_unsent(&self) -> bool {
        !self.is_begun
    }

    /// Makes it ready to be sent once more, if it is at hand as a whole.
    pub(in crate::proxy) fn rewind(&mut self) -> bool {
        if self.is_whole {
            (self.at, self.is_begun) = (0, false);
        }
        self.is_whole
    }

    /// What of it is still to be sent, for whoever reads the answer.
    pub(super) fn unfinished(&mut self) -> Option<Self> {
        if self.rest.is_none() && self.left() == 0 {
            return None;
        }
        let none = Self::new(&Method::GET, Vec::new(), Bytes::new(), None);
        Some(std::mem::replace(self, none))
    }

    fn left(&self) -> usize {
        self.near.len() + self.piece.len() + self.tail.len() - self.at
    }

    /// Writes what can be written; ready once all of it is.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Socket,
    ) -> Poll<Result<(), Unsent>> {
        loop {
            let is_waiting = self.take_more(cx).map_err(Unsent::Body)?.is_pending();
            while self.left() > 0 {
                let written = ready!(self.poll_write(cx, socket)).map_err(Unsent::Io)?;
                if written == 0 {
                    return Poll::Ready(Err(Unsent::Io(io::ErrorKind::WriteZero.into())));
                }
                self.at += written;
                self.is_begun = true;
            }
            if is_waiting || self.rest.is_none() {
                ready!(Pin::new(&mut *socket).poll_flush(cx)).map_err(Unsent::Io)?;
                return if is_waiting { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, socket: &mut Socket) -> Poll<io::Result<usize>> {
        let socket = Pin::new(socket);
        let near = self.near.get(self.at..).unwrap_or_default();
        if self.piece.is_empty() {
            return socket.poll_write(cx, near);
        }
        let behind = self.at.saturating_sub(self.near.len());
        let piece = self.piece.get(behind..).unwrap_or_default();
        let tail = self.tail.get(behind.saturating_sub(self.piece.len())..).unwrap_or_default();
        socket.poll_write_vectored(cx, &[near, piece, tail].map(IoSlice::new))
    }

    /// Takes more of the body, as long as there is room for it; pending where the client has to send
    /// it first.
    fn take_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), String>> {
        while let Some(rest) = &mut self.rest {
            if !self.piece.is_empty() || self.near.len() > COPIED {
                if self.at < self.near.len() + self.piece.len() + self.tail.len() {
                    break;
                }
                self.near.clear();
                (self.piece, self.tail, self.at) = (Bytes::new(), b"", 0);
            }
            let frame = ready!(Pin::new(&mut rest.body).poll_frame(cx));
            let frame = frame.transpose().map_err(|error| chain(&error))?;
            let is_over = frame.is_none() || rest.body.is_end_stream();
            let mut trailers = None;
            if let Some(frame) = frame {
                match frame.into_data() {
                    Ok(data) => self.take(data)?,
                    Err(frame) => trailers = frame.into_trailers().ok(),
                }
            }
            if is_over || trailers.is_some() {
                self.end(trailers.as_ref())?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a piece of the body; what was written before may be gone by now.
    fn take(&mut self, mut data: Bytes) -> Result<(), String> {
        let Some(rest) = &mut self.rest else { return Ok(()) };
        if data.is_empty() {
            return Ok(());
        }
        if self.at == self.near.len() {
            self.near.clear();
            self.at = 0;
        }
        let is_chunked = match &mut rest.framing {
            Framing::Length(left) => {
                let len = data.len() as u64;
                if len > *left {
                    return Err("the request's body is longer than announced".to_owned());
                }
                *left -= len;
                false
            }
            Framing::Chunked(_) => {
                encode::chunk_size(&mut self.near, data.len());
                true
            }
        };
        let end: &[u8] = if is_chunked { b"\r\n" } else { b"" };
        if data.len() <= COPIED {
            self.near.extend_from_slice(&data);
            data.advance(data.len());
            self.near.extend_from_slice(end);
        } else {
            self.piece = data;
            self.tail = if is_chunked { b"\r\n" } else { b"" };
        }
        Ok(())
    }

    /// The body is over.
    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), String> {
        let Some(rest) = self.rest.take() else { return Ok(()) };
        match rest.framing {
            Framing::Length(0) => {}
            Framing::Length(left) => {
                return Err(format!("{left} bytes of the request's body are missing"));
            }
            Framing::Chunked(named) => {
                let may_go = |name: &HeaderName| named.contains(name) && may_be_trailer(name);
                let trailers = trailers.filter(|all| all.keys().any(may_go));
                match trailers {
                    None if self.piece.is_empty() => {
                        self.near.extend_from_slice(encode::LAST_CHUNK);
                    }
                    None => self.tail = b"\r\n0\r\n\r\n",
                    Some(all) => {
                        self.near.extend_from_slice(b"0\r\n");
                        let is_left_out = |name: &HeaderName| !may_go(name);
                        encode::fields(&mut self.near, all, &Extensions::new(), is_left_out);
                        self.near.extend_from_slice(b"\r\n");
                    }
                }
            }
        }
        Ok(())
    }
}

/// What changes how a message is framed, led or understood is no trailer (RFC 9110, section 6.5.1).
fn may_be_trailer(name: &HeaderName) -> bool {
    !is_acted_on(name.as_str().as_bytes())
}

/// The head but for the blank line, without a Transfer-Encoding. `more`: room for so many bytes
/// behind it.
fn head(
    method: &Method,
    target: &str,
    headers: &HeaderMap,
    extensions: &Extensions,
    more: usize,
) -> Vec<u8> {
    let lines: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    let first = method.as_str().len() + target.len() + 64;
    let mut head = Vec::with_capacity(first + lines + more);
    for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
    encode::fields(&mut head, headers, extensions, |name| name == TRANSFER_ENCODING);
    head
}
