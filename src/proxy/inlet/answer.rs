//! Writes answers to a client.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, TRAILER, TRANSFER_ENCODING};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode, Version};
use hyper::body::Body;
use hyper::ext::ReasonPhrase;
use tokio::io::AsyncWrite;

use super::super::headers::{says_length, tokens};
use super::super::http1::encode;
use super::super::turn::others_first;
use super::date::Date;
use super::request::Wishes;
use super::wire::Shared;

/// A whole body up to this size is copied behind its head, so that both leave at once.
const SMALL: usize = 8 * 1024;

/// How an answer's body is told apart from what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// There is none.
    None,
    Length,
    Chunked,
    /// By the end of the connection.
    Close,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Another request may follow.
    Kept,
    /// It was the connection's last one.
    Last,
    /// Its body was cut, and only a reset can tell the client.
    Cut,
}

/// Writes an answer whole: a head, and the body as it comes.
///
/// `keeps`: whether the connection may be kept.
pub(super) async fn write<B>(
    wire: &Shared,
    response: Response<B>,
    wishes: Wishes,
    keeps: bool,
    date: &Date,
) -> io::Result<End>
where
    B: Body<Data = Bytes> + Unpin,
{
    others_first().await;
    let (parts, mut body) = response.into_parts();
    let framing = framing(&parts, &body, wishes);
    let is_kept = keeps && framing != Framing::Close && !says_close(&parts.headers);
    let mut out = head(&parts, &body, wishes, framing, is_kept, date);
    let end = if is_kept { End::Kept } else { End::Last };
    if framing == Framing::None {
        all(wire, &mut out, &[], &[]).await?;
        return Ok(end);
    }
    let trailers = parts.headers.get_all(TRAILER);
    let mut is_waiting = true;
    loop {
        let frame = poll_fn(|cx| {
            let polled = Pin::new(&mut body).poll_frame(cx);
            // What is at hand leaves while more is awaited.
            if polled.is_pending() && std::mem::take(&mut is_waiting) {
                return Poll::Ready(Err(()));
            }
            polled.map(Ok)
        });
        let Ok(frame) = frame.await else {
            all(wire, &mut out, &[], &[]).await?;
            continue;
        };
        is_waiting = true;
        let Some(frame) = frame else { break };
        let Ok(frame) = frame else {
            all(wire, &mut out, &[], &[]).await?;
            return Ok(if framing == Framing::Close { End::Cut } else { End::Last });
        };
        match frame.into_data() {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(bytes) => piece(wire, &mut out, &bytes, framing).await?,
            Err(frame) if framing == Framing::Chunked => {
                let told = wishes.takes_trailers.then(|| frame.into_trailers().ok()).flatten();
                out.extend_from_slice(b"0\r\n");
                let is_named = |name: &HeaderName| {
                    let mut names = trailers.iter().filter_map(|value| value.to_str().ok());
                    names.any(|names| {
                        names.split(',').any(|n| n.trim().eq_ignore_ascii_case(name.as_str()))
                    })
                };
                let told = told.unwrap_or_default();
                encode::fields(&mut out, &told, &parts.extensions, |name| !is_named(name));
                out.extend_from_slice(b"\r\n");
                all(wire, &mut out, &[], &[]).await?;
                return Ok(end);
            }
            Err(_) => {}
        }
        if framing == Framing::Length && body.is_end_stream() {
            break;
        }
    }
    if framing == Framing::Chunked {
        out.extend_from_slice(encode::LAST_CHUNK);
    }
    all(wire, &mut out, &[], &[]).await?;
    Ok(end)
}

/// Writes a piece of a body, and whatever waits ahead of it.
async fn piece(wire: &Shared, out: &mut Vec<u8>, data: &Bytes, framing: Framing) -> io::Result<()> {
    let behind: &[u8] = if framing == Framing::Chunked {
        encode::chunk_size(out, data.len());
        b"\r\n"
    } else {
        b""
    };
    if out.is_empty() || out.len() + data.len() > SMALL {
        return all(wire, out, data, behind).await;
    }
    out.extend_from_slice(data);
    all(wire, out, &[], behind).await
}

/// Writes all of them, in this order; what is owned is empty afterwards.
async fn all(wire: &Shared, out: &mut Vec<u8>, data: &[u8], behind: &[u8]) -> io::Result<()> {
    let total = out.len() + data.len() + behind.len();
    let mut done = 0;
    poll_fn(|cx| {
        let mut wire = wire.lock();
        while done < total {
            let mut parts = [&out[..], data, behind];
            let mut skip = done;
            for part in &mut parts {
                let gone = skip.min(part.len());
                *part = part.get(gone..).unwrap_or_default();
                skip -= gone;
            }
            let stream = Pin::new(&mut wire.stream);
            let written = ready!(write_some(stream, cx, parts))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            done += written;
        }
        if total == 0 { Poll::Ready(Ok(())) } else { Pin::new(&mut wire.stream).poll_flush(cx) }
    })
    .await?;
    out.clear();
    Ok(())
}

fn write_some(
    stream: Pin<&mut impl AsyncWrite>,
    cx: &mut Context<'_>,
    parts: [&[u8]; 3],
) -> Poll<io::Result<usize>> {
    let mut all = parts.iter().filter(|part| !part.is_empty());
    match (all.next(), all.next()) {
        (Some(only), None) => stream.poll_write(cx, only),
        _ => stream.poll_write_vectored(cx, &parts.map(IoSlice::new)),
    }
}

fn framing(parts: &Parts, body: &impl Body, wishes: Wishes) -> Framing {
    let is_bare = parts.status.is_informational()
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if wishes.is_head || is_bare {
        Framing::None
    } else if body.size_hint().exact().is_some() {
        Framing::Length
    } else if wishes.version == Version::HTTP_10 {
        Framing::Close
    } else {
        Framing::Chunked
    }
}

/// The head, with room for a small body behind it.
fn head(
    parts: &Parts,
    body: &impl Body,
    wishes: Wishes,
    framing: Framing,
    is_kept: bool,
    date: &Date,
) -> Vec<u8> {
    let Parts { status, headers, extensions, .. } = parts;
    let exact = body.size_hint().exact();
    let small = exact.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= SMALL);
    let mut out = Vec::with_capacity(HEAD + headers.len() * LINE + small.unwrap_or_default());
    let is_old = wishes.version == Version::HTTP_10;
    out.extend_from_slice(if is_old { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    let canonical = || status.canonical_reason().unwrap_or("<none>").as_bytes();
    let reason = extensions.get::<ReasonPhrase>().map_or_else(canonical, ReasonPhrase::as_bytes);
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
    let is_switch = *status == StatusCode::SWITCHING_PROTOCOLS;
    let (keeps_length, says_length) = length(headers, framing, exact, *status);
    encode::fields(&mut out, headers, extensions, |name| {
        (*name == CONTENT_LENGTH && !keeps_length) || *name == TRANSFER_ENCODING
    });
    if let Some(length) = says_length {
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(&mut out, length);
        out.extend_from_slice(b"\r\n");
    }
    if framing == Framing::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    if !is_kept && !is_switch && !says_close(headers) {
        out.extend_from_slice(b"Connection: close\r\n");
    } else if is_old && is_kept {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    if !headers.contains_key(DATE) && !is_switch {
        out.extend_from_slice(b"Date: ");
        date.write(&mut out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Whether an answer says itself that it is its connection's last one.
fn says_close(headers: &HeaderMap) -> bool {
    headers.contains_key(CONNECTION)
        && tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("close"))
}

/// Bytes of a head without its lines, and of a usual line.
const HEAD: usize = 160;
const LINE: usize = 64;

/// Whether the announced length is kept, and the one to be announced instead.
fn length(
    headers: &HeaderMap,
    framing: Framing,
    exact: Option<u64>,
    status: StatusCode,
) -> (bool, Option<u64>) {
    match (framing, exact) {
        // Of an answer without a body, the length is that of another one (RFC 9110, section 8.6).
        (Framing::None, _) => {
            (!status.is_informational() && status != StatusCode::NO_CONTENT, None)
        }
        (Framing::Length, Some(length)) => {
            let is_told = usize::try_from(length).is_ok_and(|length| says_length(headers, length));
            (is_told, Some(length).filter(|_| !is_told))
        }
        _ => (false, None),
    }
}
