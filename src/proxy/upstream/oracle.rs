//! Our reader of answers held against another one, hyper's.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::Empty;
use hyper::body::Body as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::OddHeads;
use super::answer::{Reader, Whole};
use super::framing::Framing;
use crate::guard::head::MAX_LINES;
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

/// What hyper makes of a head: status, headers, length of the body.
async fn by_hyper(head: Vec<u8>) -> Option<(u16, HeaderMap, Option<u64>)> {
    let (ours, mut theirs) = duplex(64 * 1024);
    let mut builder = http1::Builder::new();
    builder
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .max_headers(MAX_LINES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    tokio::spawn(async move {
        let _ = theirs.read(&mut [0; 1024]).await;
        theirs.write_all(&head).await.unwrap();
    });
    let request = http::Request::get("/").header("host", "a").body(Empty::<Bytes>::new());
    let response = sender.send_request(request.unwrap()).await.ok()?;
    let length = response.body().size_hint().exact();
    Some((response.status().as_u16(), response.headers().clone(), length))
}

fn by_us(head: &[u8]) -> Option<Whole> {
    Reader::default().read(&mut BytesMut::from(head), OddHeads::Taken).ok().flatten()
}

/// Holds what we say of a head against what hyper does.
async fn compare(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some(own) = by_us(bytes) else { return };
    let other = by_hyper(bytes.to_vec()).await;
    // hyper takes a coding that it does not know for a body until the end, and waits for any length
    // that is a number.
    let refuses = |odd: &OddLine| {
        !matches!(odd.part, OddPart::Line | OddPart::Coding) && odd.why != "no answer is that long"
    };
    let may_refuse = own.odd.is_refused();
    let must_refuse = own.odd.lines.iter().any(refuses);
    let agrees = if other.is_none() { may_refuse } else { !must_refuse };
    assert!(agrees, "{text:?}: {:?}", own.odd);
    let Some((status, headers, length)) = other.filter(|_| !may_refuse) else { return };
    assert_eq!(own.parts.status.as_u16(), status, "{text:?}");
    let values = |map: &HeaderMap| {
        let value = |value: &http::HeaderValue| {
            let text: String = value.as_bytes().iter().map(|&b| char::from(b)).collect();
            text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        };
        map.iter().map(|(name, v)| (name.clone(), value(v))).collect::<Vec<_>>()
    };
    assert_eq!(values(&own.parts.headers), values(&headers), "{text:?}");
    assert_eq!(Framing::of(own.framing, false).left(), length, "{text:?}");
}

/// As Latin-1: bytes above ASCII are single ones.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

#[tokio::test]
async fn our_reader_knows_what_another_refuses_and_hides() {
    for text in HEADS {
        let bytes = latin1(text);
        assert!(by_us(&bytes).is_some(), "{text:?}");
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
