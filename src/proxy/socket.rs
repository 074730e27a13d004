//! One connection, whatever it runs over: TCP or a Unix socket, bare or in TLS, from a client or to
//! a backend.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{client, server};

/// A connection without TLS.
#[derive(Debug)]
pub(super) enum Bare {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection as it is read and written.
#[derive(Debug)]
pub(super) enum Socket {
    Bare(Bare),
    /// From a client.
    Inbound(Box<server::TlsStream<Bare>>),
    /// To a backend.
    Outbound(Box<client::TlsStream<Bare>>),
}

/// A connection that no runtime waits for, on its way to another one.
#[derive(Debug)]
pub(super) enum Moving {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Moving {
    /// It is where it was to go: needs the runtime that waits for it from now on.
    pub(super) fn arrived(self) -> io::Result<Bare> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Bare::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream).map(Bare::Unix),
        }
    }
}

impl Bare {
    /// Takes it away from its runtime.
    pub(super) fn into_moving(self) -> io::Result<Moving> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Moving::Tcp),
            Self::Unix(stream) => stream.into_std().map(Moving::Unix),
        }
    }

    fn as_ref(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            Self::Unix(stream) => SockRef::from(stream),
        }
    }
}

impl Socket {
    /// The connection below TLS.
    pub(super) fn bare(&self) -> &Bare {
        match self {
            Self::Bare(bare) => bare,
            Self::Inbound(stream) => stream.get_ref().0,
            Self::Outbound(stream) => stream.get_ref().0,
        }
    }

    /// Whether nothing came, not even the end, as far as the reactor knows: that costs no system
    /// call. A byte that came may be gone afterwards.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Bare(Bare::Tcp(stream)) => stream.try_read(&mut byte),
            Self::Bare(Bare::Unix(stream)) => stream.try_read(&mut byte),
            Self::Inbound(_) | Self::Outbound(_) => return self.is_quiet_in_tls(),
        };
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The same below TLS and in it. What is no data (a session's tickets) is read.
    fn is_quiet_in_tls(&mut self) -> bool {
        let (mut byte, mut cx) = ([0], Context::from_waker(Waker::noop()));
        let read = Pin::new(&mut *self).poll_read(&mut cx, &mut ReadBuf::new(&mut byte));
        read.is_pending() && self.is_quiet_now()
    }

    /// Whether nothing waits to be read at this very moment, not even the end. Bytes that TLS has
    /// read already are not seen.
    pub(super) fn is_quiet_now(&self) -> bool {
        let peeked = self.bare().as_ref().peek(&mut [MaybeUninit::uninit()]);
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Its end will be a reset, which tells the peer that something was cut.
    pub(super) fn end_by_reset(&self) {
        // A Unix socket knows no reset; its peer sees the end.
        let _ = self.bare().as_ref().set_linger(Some(Duration::ZERO));
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Bare(Bare::Tcp(stream))
    }
}

/// Calls a method of whichever stream it is.
macro_rules! each {
    ($self:ident, $kind:ident { $($variant:ident),+ }, $stream:ident => $call:expr) => {
        match $self.get_mut() { $($kind::$variant($stream) => $call),+ }
    };
}

macro_rules! stream {
    ($kind:ident { $($variant:ident),+ }) => {
        impl AsyncRead for $kind {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                each!(self, $kind { $($variant),+ }, stream => Pin::new(stream).poll_read(cx, buf))
            }
        }

        impl AsyncWrite for $kind {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                each!(self, $kind { $($variant),+ }, stream => Pin::new(stream).poll_write(cx, buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                each!(self, $kind { $($variant),+ }, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
            }

            fn is_write_vectored(&self) -> bool {
                match self { $($kind::$variant(stream) => stream.is_write_vectored()),+ }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self, $kind { $($variant),+ }, stream => Pin::new(stream).poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self, $kind { $($variant),+ }, stream => Pin::new(stream).poll_shutdown(cx))
            }
        }
    };
}

stream!(Bare { Tcp, Unix });
stream!(Socket { Bare, Inbound, Outbound });
