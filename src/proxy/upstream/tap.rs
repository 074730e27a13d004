//! A look at what arrives on a connection, below the HTTP reader.
//!
//! Where the answer is judged, a head that the HTTP reader would refuse, or of which it would hide
//! lines, is taken here: the reader gets one that it takes, the judge the odd lines. Where it is
//! passed on, a head that has more than one reading ends the exchange.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::OddHeads;
use crate::guard::Oddities;
use crate::guard::head::{self, Reading};
use crate::proxy::socket::Socket;

/// First bytes of an answer that are kept for the record.
const KEPT: usize = 4 * 1024;

/// Most bytes before an answer's status line and headers are complete, interim answers included.
const MAX_HEAD: usize = 512 * 1024;

/// Most interim answers (1xx) before an answer.
const MAX_INTERIM: usize = 32;

/// What a connection received since its current request was sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Tap(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    first: Vec<u8>,
    before_head: usize,
    head_is_done: bool,
    fault: Option<io::ErrorKind>,
    /// Whether the connection had a request before.
    was_used: bool,
    /// Whether a byte of the request was written.
    is_written: bool,
    interim: usize,
    /// What is done about odd heads, as long as the answer's is still to come.
    odd_heads: Option<OddHeads>,
    odd: Oddities,
}

impl Tap {
    /// Starts anew: a request is about to be sent.
    pub(super) fn reset(&self, odd_heads: OddHeads) {
        let mut seen = self.lock();
        seen.odd_heads = Some(odd_heads);
        seen.odd = Oddities::default();
        seen.first.clear();
        seen.before_head = 0;
        seen.was_used |= seen.is_written;
        seen.is_written = false;
        seen.interim = 0;
        seen.head_is_done = false;
        seen.fault = None;
    }

    /// The answer's head is complete: from now on the bytes are its body.
    pub(super) fn head_is_done(&self) {
        self.lock().head_is_done = true;
    }

    /// What the HTTP reader was not shown of the head.
    pub(super) fn odd(&self) -> Oddities {
        self.lock().odd.clone()
    }

    /// Whether a byte of the current request was written.
    pub(super) fn is_written(&self) -> bool {
        self.lock().is_written
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

    fn interim(&self) -> io::Result<()> {
        let mut seen = self.lock();
        seen.interim += 1;
        if seen.interim > MAX_INTERIM {
            let text = format!("more than {MAX_INTERIM} interim answers and no answer");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
    }

    /// The answer's own head was shown to the HTTP reader, or never will be.
    fn heads_are_read(&self) {
        self.lock().odd_heads = None;
    }

    fn failed(&self, error: &io::Error) {
        self.lock().fault = Some(error.kind());
    }
}

/// Whether these bytes begin with the whole head of an answer, and nothing is odd about it.
fn is_plain(bytes: &[u8]) -> bool {
    matches!(head::read(bytes), Reading::Head(head)
        if head.odd == Oddities::default() && head.unfit().is_none() && !head.status.is_informational())
}

fn not_fit(why: &str) -> io::Error {
    let text = format!("the answer's head has more than one reading, or none: {why}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// A connection that shows what it receives to a [`Tap`].
#[derive(Debug)]
pub(super) struct Tapped {
    stream: Socket,
    tap: Tap,
    /// The beginning of a head.
    begun: BytesMut,
    /// What the reader is still to be given.
    ready: BytesMut,
}

impl Tapped {
    pub(super) fn new(stream: Socket) -> (Self, Tap) {
        let tap = Tap::default();
        let (begun, ready) = (BytesMut::new(), BytesMut::new());
        (Self { stream, tap: tap.clone(), begun, ready }, tap)
    }

    /// Reads what the connection has.
    fn poll_raw(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.tap.saw(buf.filled().get(before..).unwrap_or_default()))
    }

    /// Reads until there is something to show to the HTTP reader: a head as a whole, then whatever
    /// comes.
    fn poll_heads(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.ready.is_empty() {
            let Some(odd_heads) = self.tap.lock().odd_heads else { break };
            let before = buf.filled().len();
            ready!(self.poll_raw(cx, buf))?;
            let new = buf.filled().get(before..).unwrap_or_default();
            if self.begun.is_empty() && is_plain(new) {
                self.tap.heads_are_read();
                return Poll::Ready(Ok(()));
            }
            let is_end = new.is_empty();
            self.begun.extend_from_slice(new);
            buf.set_filled(before);
            self.take_heads(odd_heads)?;
            if is_end {
                // What is left is no head; the reader says what it is.
                self.tap.heads_are_read();
                self.ready.unsplit(self.begun.split());
                break;
            }
        }
        if self.ready.is_empty() {
            return self.poll_raw(cx, buf);
        }
        let len = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready.split_to(len));
        Poll::Ready(Ok(()))
    }

    /// Moves whole heads, up to the one of the answer itself, to what the reader is given.
    fn take_heads(&mut self, odd_heads: OddHeads) -> io::Result<()> {
        loop {
            let head = match head::read(&self.begun) {
                Reading::Partial => return Ok(()),
                Reading::Head(head) => head,
                Reading::NoHead if odd_heads == OddHeads::Refused => {
                    return Err(not_fit("no status can be read where it should stand"));
                }
                Reading::NoHead => break,
            };
            if odd_heads == OddHeads::Refused
                && let Some(why) = head.unfit()
            {
                return Err(not_fit(why));
            }
            let is_interim = head.status.is_informational() && head.status.as_u16() != 101;
            if odd_heads == OddHeads::Refused || head.odd == Oddities::default() {
                self.ready.extend_from_slice(self.begun.get(..head.len).unwrap_or_default());
            } else if !is_interim {
                self.ready.extend_from_slice(&head.plain(&self.begun));
            }
            self.begun.advance(head.len.min(self.begun.len()));
            if is_interim {
                self.tap.interim()?;
            } else {
                self.tap.lock().odd = head.odd;
                break;
            }
        }
        self.tap.heads_are_read();
        self.ready.unsplit(self.begun.split());
        Ok(())
    }

    /// Before the first byte of a request is written on a connection that had one before: nothing may
    /// have come that nobody asked for. It would be taken for the answer to this request.
    fn check_quiet(&self) -> io::Result<()> {
        let seen = self.tap.lock();
        if seen.is_written || !seen.was_used || self.stream.is_quiet() {
            return Ok(());
        }
        let text = "the backend closed the kept connection, or sent what nobody asked for";
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, text))
    }

    fn wrote(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.tap.lock().is_written = true;
        }
        self.noting(polled)
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
        let polled = self.poll_heads(cx, buf);
        self.noting(polled)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_quiet()?;
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_quiet()?;
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(polled)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use http_body_util::Empty;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::Resolver;
    use super::*;
    use crate::guard::{OddLine, OddPart};

    const HEADS: &[&str] = &[
        "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200\r\nA: 1\n\r\n",
        "\n\r\nHTTP/1.0 200 OK\r\nA:\r\nB : 2\r\nC: a\r\n b\r\n\tc\r\n\r\n",
        "HTTP/1.1 200 \tO\u{e9}K\r\nA: \u{e9}\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 \u{1}\r\n\r\n",
        "HTTP/1.1 200 OK\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nNonsense\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: 1\r\nNonsense\r\n folded\r\nB: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\n x\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nb@d: x\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b: x\r\nA: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: 1\r\n \u{1}\r\nB: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \u{b}1\r\n b\r\nB: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: 1\u{7f}\r\nB: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: 1\r\n \r\nB: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA:\r\n 1\r\nB: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nN\0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: x\r\n\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ];

    fn client() -> super::super::Client {
        super::super::Client::new(Resolver::default(), None, std::time::Duration::from_secs(1))
    }

    /// What the HTTP reader makes of a head.
    async fn by_hyper(head: Vec<u8>) -> Option<(u16, HeaderMap)> {
        let (ours, mut theirs) = duplex(64 * 1024);
        let mut builder = client().builder;
        builder.max_headers(super::super::MAX_HEADERS);
        let (mut sender, connection) = builder.handshake(TokioIo::new(ours)).await.unwrap();
        tokio::spawn(connection);
        tokio::spawn(async move {
            let _ = theirs.read(&mut [0; 1024]).await;
            theirs.write_all(&head).await.unwrap();
        });
        let request = http::Request::get("/").header("host", "a").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.ok()?;
        Some((response.status().as_u16(), response.headers().clone()))
    }

    /// Holds what our reader says of a head against what the HTTP reader does.
    async fn compare(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let Reading::Head(head) = head::read(bytes) else { return };
        if head.status.is_informational() {
            return;
        }
        let raw = by_hyper(bytes.to_vec()).await;
        // The HTTP reader takes a coding that it does not know for a body until the end, and waits
        // for any length that is a number.
        let refuses = |odd: &OddLine| {
            !matches!(odd.part, OddPart::Line | OddPart::Coding)
                && odd.why != "no answer is that long"
        };
        let may_refuse = head.odd.is_refused();
        let must_refuse = head.odd.lines.iter().any(refuses);
        let agrees = if raw.is_none() { may_refuse } else { !must_refuse };
        assert!(agrees, "{text:?}: {:?}", head.odd);
        let plain = head.plain(bytes);
        let Reading::Head(again) = head::read(&plain) else { panic!("{text:?}") };
        assert_eq!(again.odd, Oddities::default(), "{text:?}");
        let plain = by_hyper(plain).await.expect(&text);
        assert_eq!(plain.0, head.status.as_u16(), "{text:?}");
        let Some((_, shown)) = raw.filter(|_| !may_refuse) else { return };
        let values = |map: &HeaderMap| {
            let value = |value: &http::HeaderValue| {
                let text: String = value.as_bytes().iter().map(|&b| char::from(b)).collect();
                text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
            };
            map.iter().map(|(name, v)| (name.clone(), value(v))).collect::<Vec<_>>()
        };
        assert_eq!(values(&plain.1), values(&shown), "{text:?}");
    }

    /// As Latin-1: bytes above ASCII are single ones.
    fn latin1(text: &str) -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    }

    #[tokio::test]
    async fn the_reader_of_heads_knows_what_the_http_reader_refuses_and_hides() {
        for text in HEADS {
            let bytes = latin1(text);
            assert!(matches!(head::read(&bytes), Reading::Head(_)), "{text:?}");
            compare(&bytes).await;
        }
    }

    #[tokio::test]
    async fn it_knows_so_for_spoilt_heads_too() {
        const SPOILS: &[u8] = b"\0\t\n\x0b\r\r\n  :,;=/0159AChunkedx\x7f\x80\xff";
        let mut random: u64 = 7;
        let mut next = move |below: usize| {
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % u64::try_from(below).unwrap()).unwrap()
        };
        for round in 0..4_000 {
            let mut bytes = latin1(HEADS[round % HEADS.len()]);
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = SPOILS[next(SPOILS.len())],
                    1 => bytes.insert(at, SPOILS[next(SPOILS.len())]),
                    _ => drop(bytes.remove(at)),
                }
            }
            compare(&bytes).await;
        }
    }
}
