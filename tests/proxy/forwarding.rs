//! What the backend reads of a request.

use crate::support::backend::{Backend, twiml};
use crate::support::client::{CALL, Client, ask, post};
use crate::support::guard::{Guard, config, route};

fn lines(request: &str) -> Vec<&str> {
    request.split("\r\n\r\n").next().unwrap().lines().collect()
}

#[test]
fn the_first_request_arrives_as_it_was_sent() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let request = format!(
        "POST /voice/%7Ea?b=c%20d&&e HTTP/1.1\r\nHOST: pbx.example.com\r\nUser-Agent: TwilioProxy/1.1\r\nX-Twilio-Signature: abc=\r\nx-Odd-CASE: 1\r\nCookie: a=1\r\ncookie: b=2\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\ncontent-length: {}\r\nAccept: */*\r\n\r\n{CALL}",
        CALL.len()
    );
    assert_eq!(ask(guard.address, request).status(), 200);
    let seen = backend.requests().remove(0);
    assert_eq!(
        lines(&seen),
        [
            "POST /voice/%7Ea?b=c%20d&&e HTTP/1.1",
            "HOST: pbx.example.com",
            "User-Agent: TwilioProxy/1.1",
            "X-Twilio-Signature: abc=",
            "x-Odd-CASE: 1",
            "Cookie: a=1",
            "cookie: b=2",
            "Content-Type: application/x-www-form-urlencoded; charset=UTF-8",
            &format!("content-length: {}", CALL.len()),
            "Accept: */*",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: pbx.example.com",
            "X-Forwarded-For: 127.0.0.1",
            "Via: 1.1 twiml-guard",
            "Accept-Encoding: identity",
        ]
    );
    assert!(seen.ends_with(&format!("\r\n\r\n{CALL}")));
}

#[test]
fn a_guarded_route_asks_for_a_whole_plain_answer() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    route(&mut config, "/voice", "voice", |_| {});
    let guard = Guard::with(config);
    let request = "GET /voice HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\nIf-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nRange: bytes=0-9\r\n\r\n";
    assert_eq!(ask(guard.address, request).status(), 200);
    let seen = backend.requests().remove(0).to_ascii_lowercase();
    assert!(seen.contains("\r\naccept-encoding: identity\r\n"), "{seen}");
    for gone in ["if-none-match", "if-modified-since", "range:", "gzip", "content-length"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
}

#[test]
fn a_passed_request_keeps_its_conditions_and_codings() {
    let backend = Backend::always("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
    let guard = Guard::before(backend.address);
    let request = "GET /a.png HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nIf-None-Match: \"x\"\r\nRange: bytes=0-9\r\n\r\n";
    let mut client = Client::to(guard.address);
    client.say(request);
    assert!(client.head().starts_with("HTTP/1.1 304 Not Modified\r\n"));
    let seen = backend.requests().remove(0);
    for kept in ["Accept-Encoding: gzip", "If-None-Match: \"x\"", "Range: bytes=0-9"] {
        assert!(seen.contains(kept), "{seen}");
    }
}

#[test]
fn hop_by_hop_headers_stay_behind_and_nobody_can_nominate_the_signature() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let request = format!(
        "POST /voice HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Private, X-Twilio-Signature, Host\r\nKeep-Alive: 5\r\nX-Private: 1\r\nX-Twilio-Signature: s\r\nUpgrade: h2c\r\nTE: gzip\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{CALL}",
        CALL.len()
    );
    assert_eq!(ask(guard.address, request).status(), 200);
    let seen = backend.requests().remove(0).to_ascii_lowercase();
    for gone in ["\nconnection:", "keep-alive:", "x-private", "upgrade", "\nte:"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(seen.contains("\nx-twilio-signature: s\r\n") && seen.contains("\nhost: a\r\n"));
}

#[test]
fn a_chunked_form_arrives_with_its_length() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let (one, two) = CALL.split_at(20);
    let request = format!(
        "POST /voice HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    assert_eq!(ask(guard.address, request).status(), 200);
    let seen = backend.requests().remove(0);
    assert!(!seen.to_ascii_lowercase().contains("transfer-encoding"), "{seen}");
    assert!(seen.contains(&format!("\r\nContent-Length: {}\r\n", CALL.len())), "{seen}");
    assert!(seen.ends_with(CALL));
}

#[test]
fn disguised_lengths_reach_the_backend_as_one_plain_length_or_not_at_all() {
    let disguises = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: CHUNKED",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding\r\n : chunked",
        " Transfer-Encoding: chunked",
        "Transfer_Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "Content-Length: +46",
        "Content-Length: 0x2e",
        "Content-Length: 46, 46",
        "Content-Length: 46\r\nContent-Length: 046",
        "Content-Length: -1",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content_Length: 3",
    ];
    let body = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
    for disguise in disguises {
        for length in ["Content-Length: 46\r\n", ""] {
            let backend = Backend::always(twiml("hi"));
            let guard = Guard::before(backend.address);
            let mut client = Client::to(guard.address);
            client.say(format!("PUT /up HTTP/1.1\r\nHost: a\r\n{disguise}\r\n{length}\r\n{body}"));
            client.socket().shutdown(std::net::Shutdown::Write).unwrap();
            client.rest();
            for seen in backend.requests() {
                let head = seen.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
                let framings: Vec<&str> = head
                    .lines()
                    .filter(|line| {
                        let line = line.replace('_', "-");
                        line.contains("transfer-encoding") || line.contains("content-length")
                    })
                    .collect();
                assert!(
                    matches!(
                        framings[..],
                        [] | ["content-length: 46" | "transfer-encoding: chunked"]
                    ),
                    "{disguise:?} {length:?}: {framings:?}"
                );
            }
        }
    }
}

#[test]
fn a_webhook_in_the_query_keeps_its_body() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    for (method, content) in [("POST", "application/json"), ("GET", "text/plain")] {
        let request = format!(
            "{method} /voice?{CALL} HTTP/1.1\r\nHost: a\r\nContent-Type: {content}\r\nContent-Length: 7\r\n\r\n{{\"a\":1}}"
        );
        assert_eq!(ask(guard.address, request).status(), 200);
        assert!(backend.requests().pop().unwrap().ends_with("\r\n\r\n{\"a\":1}"), "{method}");
    }
}

#[test]
fn the_public_url_is_what_the_backend_is_told() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    config.public_url = Some("https://pbx.example.com:8443".to_owned());
    let guard = Guard::with(config);
    ask(
        guard.address,
        post("/voice", CALL)
            .replace("\r\nHost:", "\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: x\r\nHost:"),
    );
    let seen = backend.requests().remove(0);
    assert!(
        seen.contains("\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: pbx.example.com:8443\r\n"),
        "{seen}"
    );
    assert!(seen.contains("\r\nHost: pbx.example.com\r\n"));
}

#[test]
fn a_request_that_can_be_read_in_two_ways_never_reaches_the_backend() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let cases = [
        ("no host", "GET / HTTP/1.1\r\n\r\n", 400),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("bad host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("other authority", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "cl te",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "te cl",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("te list", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, identity\r\n\r\n", 400),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            400,
        ),
        ("connect", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("trace", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ];
    for (name, request, status) in cases {
        assert_eq!(ask(guard.address, request).status(), status, "{name}");
    }
    assert_eq!(backend.requests(), [""; 0]);
}
