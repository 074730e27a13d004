//! The client's connection, below the HTTP reader and writer.
//!
//! It sees a request's head as it came, for the one question that the reader can't answer any
//! more: whether a chunked request also had a Content-Length (the reader drops that line). And it
//! ends with a reset where nothing else tells the client that its answer was cut.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::header::TRANSFER_ENCODING;
use http::{Request, Version};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::paced::Paced;

/// Bytes that are kept; no head is larger.
const KEPT: usize = 64 * 1024;

/// What a client's connection received since its last request was answered.
#[derive(Debug, Clone)]
pub(super) struct Witness(Arc<Mutex<Seen>>);

#[derive(Debug)]
struct Seen {
    bytes: Vec<u8>,
    watches: bool,
    ends_by_reset: bool,
}

impl Witness {
    /// Looks at a request whose head was just read, and rests until [`Witness::watch`].
    ///
    /// `false` if it is chunked and has a Content-Length too, or if that can't be told.
    pub(super) fn has_one_length<B>(&self, request: &Request<B>) -> bool {
        let mut seen = self.lock();
        seen.watches = false;
        let is_fine = !request.headers().contains_key(TRANSFER_ENCODING)
            || chunked_head_is_alone(&seen.bytes, request);
        seen.bytes.clear();
        seen.bytes.shrink_to(1024);
        is_fine
    }

    /// The answer is given: what comes now is the next request.
    pub(super) fn watch(&self) {
        self.lock().watches = true;
    }

    /// An answer whose end is the connection's end was cut: only a reset tells the client so.
    pub(super) fn end_by_reset(&self) {
        self.lock().ends_by_reset = true;
    }

    fn saw(&self, bytes: &[u8]) {
        let mut seen = self.lock();
        if !seen.watches {
            return;
        }
        if seen.bytes.len() + bytes.len() > KEPT {
            seen.bytes.clear();
        }
        seen.bytes.extend_from_slice(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every head in `bytes` that begins with this request's line has no Content-Length, and there is
/// one at least. (A body may imitate a head; that it does so with one too many harms nobody else.)
fn chunked_head_is_alone<B>(bytes: &[u8], request: &Request<B>) -> bool {
    if request.version() != Version::HTTP_11 {
        return false;
    }
    let line = format!("{} {} HTTP/1.1", request.method(), request.uri());
    let mut heads = memmem::find_iter(bytes, &line).peekable();
    heads.peek().is_some()
        && heads.all(|start| {
            let head = bytes.get(start..).unwrap_or_default();
            let end = memmem::find(head, b"\n\r\n").or_else(|| memmem::find(head, b"\n\n"));
            let head = head.get(..end.unwrap_or(head.len())).unwrap_or_default();
            !head.split(|&b| b == b'\n').any(|line| {
                line.get(..14).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length"))
            })
        })
}

/// A client's connection that shows what it receives to a [`Witness`].
#[derive(Debug)]
pub(super) struct Witnessed {
    stream: Paced,
    witness: Witness,
}

impl Witnessed {
    pub(super) fn new(stream: Paced) -> (Self, Witness) {
        let witness = Witness(Arc::new(Mutex::new(Seen {
            bytes: Vec::new(),
            watches: true,
            ends_by_reset: false,
        })));
        (Self { stream, witness: witness.clone() }, witness)
    }
}

impl Drop for Witnessed {
    fn drop(&mut self) {
        if self.witness.lock().ends_by_reset {
            self.stream.end_by_reset();
        }
    }
}

impl AsyncRead for Witnessed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.witness.saw(buf.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl AsyncWrite for Witnessed {
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

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fine(bytes: &str) -> bool {
        let request =
            Request::post("/a?b").header("transfer-encoding", "chunked").body(()).unwrap();
        chunked_head_is_alone(bytes.as_bytes(), &request)
    }

    #[test]
    fn a_length_beside_chunks_is_seen_wherever_it_stands() {
        let head = "POST /a?b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(is_fine(head));
        assert!(
            is_fine(&format!("\r\n{head}3\r\nContent-Length: 3\r\n")),
            "in the body it is data"
        );
        for line in ["Content-Length: 5", "content-length:5"] {
            assert!(!is_fine(&head.replace("Host: a", &format!("{line}\r\nHost: a"))));
            assert!(!is_fine(&head.replace("chunked", &format!("chunked\r\n{line}"))));
            let imitated = format!("{}{head}", head.replace("Host: a", line));
            assert!(!is_fine(&imitated), "a second head hides nothing");
        }
        assert!(!is_fine("the head was not seen"));
    }
}
