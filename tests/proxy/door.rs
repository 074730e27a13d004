//! What is refused at the door: told to the client, and never seen by the backend.

use std::time::{Duration, Instant};

use crate::support::backend::{Backend, twiml};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config};

/// A post whose body, were it read as a request, would be one.
fn smuggling(lines: &str, body: &str) -> String {
    format!("POST /page HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}")
}

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn what_can_be_read_in_two_ways_never_reaches_the_backend() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: +5",
        "Content-Length:",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "X: y\nContent-Length: 5",
        "X: a\r\n folded",
        ": x",
        "content_length: 5",
        "Host: b",
    ] {
        let got = ask(guard.address, smuggling(lines, &format!("0\r\n\r\n{HIDDEN}")));
        assert_eq!(got.status(), 400, "{lines}: {}", got.head);
        assert_eq!(got.header("connection"), Some("close"), "{lines}");
        assert!(got.text().starts_with("twiml-guard: "), "{lines}: {}", got.text());
    }
    for (head, status) in [
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 501),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 501),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(40_000)), 414),
        (smuggling(&format!("X: {}", "y".repeat(70_000)), ""), 431),
        (smuggling(&"X: y\r\n".repeat(101), ""), 431),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), 400),
    ] {
        assert_eq!(
            ask(guard.address, &head).status(),
            status,
            "{}",
            head.get(..40).unwrap_or(&head)
        );
    }
    assert_eq!(backend.requests(), Vec::<String>::new());
}

#[test]
fn broken_chunks_are_no_whole_request_to_the_backend() {
    for path in ["/voice", "/page"] {
        let backend = Backend::always(twiml("hi"));
        let guard = Guard::before(backend.address);
        for chunks in [
            "3\nabc\r\n0\r\n\r\n",
            "3;a\nb\r\nabc\r\n0\r\n\r\n",
            "3\r\nabcX0\r\n\r\n",
            "f0000000000000003\r\nabc\r\n0\r\n\r\n",
            "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n",
            "3\r\nabc\r\n0\r\n\n",
        ] {
            let mut client = Client::to(guard.address);
            client.say(
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{HIDDEN}"),
            );
            let got = client.answer();
            assert!(got.head.is_empty() || got.status() >= 400, "{path} {chunks:?}: {}", got.head);
            assert_eq!(client.rest().0, b"", "{chunks:?}: one answer");
        }
        assert_eq!(backend.requests(), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn requests_ahead_of_a_refused_one_are_answered_and_those_behind_are_not() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    let bad = "GET /bad HTTP/1.1\r\nHost : a\r\n\r\n";
    client.say(format!("{}{}{bad}{HIDDEN}", post("/voice", CALL), get("/page")));
    assert_eq!(client.answer().status(), 200);
    assert_eq!(client.answer().status(), 200);
    assert_eq!(client.answer().status(), 400);
    assert_eq!(client.rest(), (Vec::new(), true));
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_head_may_come_byte_by_byte_and_pipelined() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    let both = format!("{}{}", post("/voice", "a=1"), get("/page"));
    for byte in both.bytes() {
        client.say([byte]);
    }
    for _ in 0..2 {
        assert_eq!(client.answer().status(), 200);
    }
    // Larger than what is read at once.
    let large = get("/large").replace("Host:", &format!("X: {}\r\nHost:", "y".repeat(60_000)));
    client.say(format!("{large}{}", get("/next")));
    for _ in 0..2 {
        assert_eq!(client.answer().status(), 200);
    }
    assert_eq!(backend.requests().len(), 4);
}

#[test]
fn a_refusal_is_read_by_a_client_that_is_still_sending() {
    let guard = Guard::before(Backend::always(twiml("hi")).address);
    let mut client = Client::to(guard.address);
    client.say(smuggling("Content-Length: 4000000\r\nContent-Length: 4000000", ""));
    client.say(vec![b'x'; 4_000_000]);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.answer().status(), 400);
    assert_eq!(client.rest(), (Vec::new(), true), "an end, no reset");
}

#[test]
fn a_refused_connection_does_not_stay() {
    let guard = Guard::before(Backend::always(twiml("hi")).address);
    let mut client = Client::to(guard.address);
    client.say("GET / HTTP/1.1\r\n\r\n");
    let start = Instant::now();
    assert_eq!(client.answer().status(), 400);
    assert_eq!(client.rest(), (Vec::new(), true));
    assert!(start.elapsed() < Duration::from_secs(1), "the client sees the end at once");
    drop(client);
    let start = Instant::now();
    guard.stop();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn the_limits_of_a_head_are_configured() {
    let mut config = config(Backend::always(twiml("hi")).address);
    (config.max_head, config.max_headers) = (1024, 10);
    let guard = Guard::with(config);
    assert_eq!(ask(guard.address, get("/")).status(), 200);
    let lines =
        |count: usize| get("/").replace("Host:", &format!("{}Host:", "X: y\r\n".repeat(count)));
    assert_eq!(ask(guard.address, lines(9)).status(), 200);
    assert_eq!(ask(guard.address, lines(10)).status(), 431);
    let long = get("/").replace("Host:", &format!("X: {}\r\nHost:", "y".repeat(1024)));
    assert_eq!(ask(guard.address, long).status(), 431);
}

#[test]
fn more_headers_than_usual_pass_where_they_may() {
    let mut config = config(Backend::always(twiml("hi")).address);
    config.max_headers = 300;
    let guard = Guard::with(config);
    let lines =
        |count: usize| get("/").replace("Host:", &format!("{}Host:", "X: y\r\n".repeat(count)));
    assert_eq!(ask(guard.address, lines(299)).status(), 200);
    assert_eq!(ask(guard.address, lines(300)).status(), 431);
}

#[test]
fn cve_2026_2833_bytes_behind_a_refused_handshake_are_no_request() {
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let backend = Backend::always(refusal);
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.say(format!("{handshake}{HIDDEN}"));
    assert_eq!(client.answer().status(), 403);
    client.rest();
    let seen = backend.requests();
    assert!(seen.len() == 1 && !seen[0].contains("hidden"), "{seen:?}");
}

#[test]
fn cve_2025_4366_an_unread_body_is_no_request() {
    // The backend answers without reading; nothing behind the head runs as a request.
    let backend = Backend::always("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    let length = format!("Content-Length: {}", HIDDEN.len() + 10);
    client.say(smuggling(&length, HIDDEN));
    client.say([b' '; 10]);
    assert_eq!(client.answer().status(), 413);
    client.say(get("/next"));
    client.answer();
    assert!(backend.requests().iter().all(|seen| !seen.starts_with("GET /hidden")));
}
