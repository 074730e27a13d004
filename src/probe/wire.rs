//! One HTTP exchange on a connection, with an eye on the very bytes that came.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes of a body that are read; Twilio takes 64 kB.
const MAX_BODY: usize = 1024 * 1024;
/// Most raw bytes that are kept.
const KEPT: usize = 512;

/// What came, and when.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub first_byte: Duration,
    pub total: Duration,
    pub framing: Framing,
}

/// How a body was framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framing {
    /// In chunks.
    pub is_chunked: bool,
    /// By its length.
    pub length: Option<usize>,
    /// Bytes behind the announced end.
    pub excess: usize,
}

/// Bytes that came, as they came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub first: Vec<u8>,
    total: usize,
    head: usize,
    /// The last three bytes, where the head's end may be split.
    tail: Vec<u8>,
    at: Option<Instant>,
}

impl Seen {
    fn note(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.at.get_or_insert_with(Instant::now);
        let room = KEPT.saturating_sub(self.first.len());
        self.first.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if self.head == 0 {
            let mut joined = std::mem::take(&mut self.tail);
            let before = joined.len();
            joined.extend_from_slice(bytes);
            match memchr::memmem::find(&joined, b"\r\n\r\n") {
                Some(at) => self.head = self.total - before + at + 4,
                None => self.tail = joined.split_off(joined.len().saturating_sub(3)),
            }
        }
        self.total += bytes.len();
    }
}

/// A connection whose incoming bytes are noted.
pub(super) struct Tap<S> {
    inner: S,
    seen: Arc<Mutex<Seen>>,
}

impl<S> Tap<S> {
    pub fn new(inner: S) -> (Self, Arc<Mutex<Seen>>) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        (Self { inner, seen: Arc::clone(&seen) }, seen)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = buf.filled().get(before..).unwrap_or_default();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).note(new);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Sends a request and reads the whole answer. `Err` says what came instead of one.
pub(super) async fn exchange<S>(
    io: S,
    request: Request<Full<Bytes>>,
    start: Instant,
) -> Result<Got, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tap, seen) = Tap::new(io);
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(tap))
        .await
        .map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let read = async {
        let answer = sender.send_request(request).await?;
        let (head, mut body) = answer.into_parts();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                whole.extend_from_slice(data);
            }
            if whole.len() > MAX_BODY {
                break;
            }
        }
        Ok::<_, hyper::Error>((head, whole.freeze()))
    };
    let answer = read.await;
    let total = start.elapsed();
    drop(sender);
    driver.abort();
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (head, body) = answer.map_err(|error| instead(&seen, &error))?;
    let is_chunked = head.headers.contains_key(TRANSFER_ENCODING);
    let length =
        head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let announced = seen.head.saturating_add(length.unwrap_or(0));
    let is_framed = length.is_some() && !is_chunked && seen.head > 0;
    let excess = if is_framed { seen.total.saturating_sub(announced) } else { 0 };
    let first_byte = seen.at.map_or(total, |at| at.saturating_duration_since(start));
    let framing = Framing { is_chunked, length, excess };
    Ok(Got { status: head.status, headers: head.headers, body, first_byte, total, framing })
}

fn instead(seen: &Seen, error: &hyper::Error) -> String {
    if seen.first.is_empty() {
        return "a connection that was closed without a word".to_owned();
    }
    let first = seen.first.get(..seen.first.len().min(60)).unwrap_or_default();
    format!("`{}` ({error})", first.escape_ascii())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn said(answer: &'static [u8]) -> Result<Got, String> {
        let (near, mut far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            let _ = far.read(&mut buffer).await;
            let _ = far.write_all(answer).await;
        });
        let request = Request::get("/").header("Host", "h").body(Full::default()).unwrap();
        exchange(near, request, Instant::now()).await
    }

    #[tokio::test]
    async fn framing_is_seen_as_it_was() {
        let got =
            said(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        let framing = got.await.unwrap().framing;
        assert_eq!(framing, Framing { is_chunked: true, length: None, excess: 0 });
        let got = said(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay").await.unwrap();
        assert_eq!(got.framing, Framing { is_chunked: false, length: Some(2), excess: 2 });
        assert_eq!(got.body, "ok");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told() {
        assert!(said(b"SSH-2.0-OpenSSH\r\n").await.unwrap_err().contains("SSH-2.0-OpenSSH"));
        assert!(said(b"").await.unwrap_err().contains("without a word"));
        let cut = said(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok").await;
        assert!(cut.unwrap_err().contains("HTTP/1.1 200 OK"));
    }
}
