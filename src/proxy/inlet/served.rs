//! What is answered is what came: the same requests with the same bodies, and never one that was
//! refused.

use std::future::pending;
use std::sync::{Arc, Mutex};

use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use super::super::activity::Activity;
use super::super::listener::Permit;
use super::super::paced::Paced;
use super::super::socket::{Bare, Socket};
use super::connection::{Asked, Service, serve as serve_connection};
use super::date::Date;
use super::fault::Fault;
use super::head::{Framing, Head, Limits};
use super::refused::Refusals;
use crate::incidents::instruments;

const LIMITS: Limits = Limits { bytes: 64 * 1024, lines: 100 };

/// What the service saw of one request.
#[derive(Debug)]
struct Seen {
    verdict: Result<Head, Fault>,
    head: Option<http::request::Parts>,
    /// `None`: it broke off.
    body: Option<Bytes>,
}

/// Keeps all that it sees.
struct Keeper(Arc<Mutex<Vec<Seen>>>);

impl Service for Keeper {
    type Body = Full<Bytes>;

    async fn answer(&self, asked: Asked) -> Response<Full<Bytes>> {
        let (head, body) = asked.request.into_parts();
        let body = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
        let mut response = Response::new(Full::new(Bytes::from_static(b"ok")));
        if body.is_none() {
            response.headers_mut().insert("connection", "close".parse().unwrap());
        }
        self.0.lock().unwrap().push(Seen { verdict: Ok(asked.head), head: Some(head), body });
        response
    }

    fn refuse(&self, fault: Fault) -> Response<Full<Bytes>> {
        self.0.lock().unwrap().push(Seen { verdict: Err(fault), head: None, body: None });
        Response::new(Full::new(Bytes::from_static(b"no")))
    }

    fn busy(&self) -> impl Send {}

    fn is_closing(&self) -> bool {
        false
    }
}

/// Sends bytes, `step` at a time; gives what the service saw and what the client got.
fn served(bytes: &[u8], step: usize) -> (Vec<Seen>, Vec<u8>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = UnixStream::pair().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(server, Arc::clone(&seen)));
        let (mut reader, mut writer) = client.split();
        let write = async {
            for piece in bytes.chunks(step) {
                let _ = writer.write_all(piece).await;
                yield_now().await;
            }
            let _ = writer.shutdown().await;
        };
        let mut got = Vec::new();
        let read = reader.read_to_end(&mut got);
        let _ = tokio::join!(write, read);
        serving.await.unwrap();
        (std::mem::take(&mut *seen.lock().unwrap()), got)
    })
}

async fn serve(server: UnixStream, all: Arc<Mutex<Vec<Seen>>>) {
    let refusals = Refusals::new(instruments().unwrap());
    let permit = Permit::new(Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap());
    let activity = Arc::new(Activity::new(Arc::default(), false));
    let server = Paced::new(Socket::Bare(Bare::Unix(server)), activity, permit);
    let _ =
        serve_connection(server, LIMITS, refusals, &Date::default(), &Keeper(all), pending()).await;
}

/// A request put together from parts, most of them good, with the marks by which it is known.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        3 => Just("GET /a?b=c HTTP/1.1\r\n"),
        3 => Just("POST http://h/x HTTP/1.1\r\n"),
        1 => Just("PUT /{\"j\"}|\\^ HTTP/1.1\r\n"),
        1 => Just("m!#$%&'*+-.^_`|~ /\u{e4}?`\u{e4} HTTP/1.1\r\n"),
        1 => Just("GET / HTTP/1.0\r\n"),
        1 => Just("OPTIONS * HTTP/1.1\r\n"),
        1 => Just("GET  / HTTP/1.1\r\n"),
        1 => Just("\r\nGET / HTTP/1.1\r\n"),
    ];
    let field = prop_oneof![
        6 => Just(b"X-Some: y\r\n".to_vec()),
        2 => Just(b"!#$%&'*+-.^_`|~:\t\xe9\xff \r\n".to_vec()),
        1 => Just(b"Connection: keep-alive\r\n".to_vec()),
        1 => Just(b"Expect: 100-continue\r\n".to_vec()),
        1 => Just(b"Upgrade: h2c\r\n".to_vec()),
        1 => Just(b"Host: h\r\n".to_vec()),
        1 => Just(b"Content-Length : 3\r\n".to_vec()),
        1 => Just(b" folded\r\n".to_vec()),
        1 => "[ -~]{0,6}: [ -~]{0,6}\r\n".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 1..5),
    ];
    let body = prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        3 => Just(b"Content-Length: 3\r\n\r\nabc".to_vec()),
        3 => Just(b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n".to_vec()),
        1 => Just(b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n".to_vec()),
        1 => Just(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
    ];
    let request =
        (line, proptest::collection::vec(field, 0..3), body).prop_map(|(line, fields, body)| {
            [line.as_bytes(), b"Host: h\r\n", &fields.concat(), &body].concat()
        });
    proptest::collection::vec(request, 1..4).prop_map(|requests| requests.concat())
}

/// What the pure readers say of the same bytes.
fn followed(bytes: &[u8]) -> Vec<Result<Head, Fault>> {
    let mut verdicts = Vec::new();
    super::follow::Follower::new(LIMITS).follow(bytes, |verdict| verdicts.push(verdict));
    verdicts
}

/// The lines of a head as it came: its first, and every header.
fn told(head: &http::request::Parts) -> (String, Vec<(String, Vec<u8>)>) {
    let line = format!("{} {} {:?}", head.method, head.uri, head.version);
    let fields = head.headers.iter();
    (line, fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect())
}

/// The same, read from the bytes by nothing but their line ends.
fn written(head: &[u8]) -> (String, Vec<(String, Vec<u8>)>) {
    let text: Vec<&[u8]> = head.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).collect();
    let mut lines = text.into_iter().filter(|line| !line.is_empty());
    let line = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let fields = lines.map(|line| {
        let at = line.iter().position(|&b| b == b':').unwrap();
        let name = String::from_utf8(line[..at].to_ascii_lowercase()).unwrap();
        (name, line[at + 1..].trim_ascii().to_vec())
    });
    (line, fields.collect())
}

/// A chunked body of nothing.
const EMPTY: &[u8] = b"0\r\n\r\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_passes_is_read_as_it_was_understood(bytes in requests(), step in 1_usize..200) {
        let verdicts = followed(&bytes);
        let (seen, got) = served(&bytes, step);
        let answers = got.windows(9).filter(|part| part == b"HTTP/1.1 " || part == b"HTTP/1.0 ");
        let invited = got.windows(12).filter(|part| part == b"HTTP/1.1 100").count();
        prop_assert_eq!(answers.count() - invited, seen.len(), "{}", got.escape_ascii());
        let mut from = 0;
        for (seen, verdict) in seen.iter().zip(&verdicts) {
            prop_assert_eq!(&seen.verdict, verdict);
            let (Ok(head), Some(message)) = (verdict, &seen.head) else { break };
            let (mut own, mut theirs) = (written(&bytes[from..from + head.len]), told(message));
            // Only lines of one name keep their order.
            own.1.sort();
            theirs.1.sort();
            prop_assert_eq!(own.0, theirs.0);
            prop_assert_eq!(own.1, theirs.1);
            // A line that another one ran into leaves the last kind of body with its chunks alone.
            let is_empty = bytes[from + head.len..].starts_with(EMPTY);
            if let Some(body) = &seen.body {
                let has_none = head.framing == Framing::None || is_empty;
                prop_assert_eq!(&body[..], if has_none { b"".as_slice() } else { b"abc" });
            }
            from += head.len + match (head.framing, seen.body.is_some()) {
                (Framing::None, _) => 0,
                (Framing::Length(length), true) => usize::try_from(length).unwrap(),
                (Framing::Chunked, true) if is_empty => EMPTY.len(),
                (Framing::Chunked, true) => b"3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n".len(),
                (_, false) => break,
            };
        }
        prop_assert!(seen.len() <= verdicts.len(), "never two requests from one");
        if let Some(last) = seen.iter().position(|seen| seen.verdict.is_err()) {
            prop_assert_eq!(last + 1, seen.len(), "nothing behind a refusal");
        }
    }
}

#[test]
fn each_of_several_pipelined_requests_has_its_own_verdict() {
    let request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
    let chunked =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let all = format!("{request}{chunked}{request}GET / HTTP/1.1\r\n\r\n{request}");
    for step in [1, 7, 4096] {
        let (seen, _) = served(all.as_bytes(), step);
        let framings: Vec<_> =
            seen.iter().map(|seen| seen.verdict.map(|head| head.framing)).collect();
        assert_eq!(framings.len(), 4, "{framings:?}");
        assert_eq!(framings[1], Ok(Framing::Chunked));
        assert!(framings[3].is_err() && framings[0] == Ok(Framing::Length(3)));
    }
}
