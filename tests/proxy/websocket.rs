//! WebSockets: joined byte for byte, and nobody else may switch.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::backend::{Backend, answer};
use crate::support::client::{Client, ask};
use crate::support::guard::Guard;

const HANDSHAKE: &str = "GET /ws/twilio-media HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Confirms, then echoes blocks of four bytes.
fn echo() -> Backend {
    Backend::start(|connection| {
        let Some(head) = connection.request() else { return };
        assert!(head.contains("\r\nUpgrade: websocket\r\n"), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\nconnection: upgrade\r\n"), "{head}");
        connection.say(SWITCH);
        while let Some(block) = connection.exactly(4) {
            connection.say(block);
        }
        connection.say("bye!");
    })
}

fn open(guard: &Guard) -> Client {
    let mut client = Client::to(guard.address);
    client.say(HANDSHAKE);
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    client
}

#[test]
fn frames_pass_at_once_both_ways() {
    let backend = echo();
    let guard = Guard::before(backend.address);
    let mut client = open(&guard);
    let start = Instant::now();
    for n in 0..200u32 {
        client.say(format!("{n:04}"));
        assert_eq!(client.exactly(4), format!("{n:04}").as_bytes());
    }
    // With delayed small packets each turn takes 40 ms.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn one_direction_may_end_before_the_other() {
    let backend = echo();
    let guard = Guard::before(backend.address);
    let mut client = open(&guard);
    client.say("last");
    client.socket().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), (b"lastbye!".to_vec(), true));
}

#[test]
fn a_refusal_passes_and_what_was_sent_ahead_goes_nowhere() {
    let backend = Backend::always(answer("403 Forbidden", "", "not you"));
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(format!("{HANDSHAKE}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
    let (got, _) = client.rest();
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("HTTP/1.1 403 Forbidden\r\n") && got.ends_with("not you"), "{got}");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn bytes_ahead_of_the_switch_wait_for_it_and_none_is_lost() {
    let backend = Backend::start(|connection| {
        connection.request();
        let patience = Some(Duration::from_millis(200));
        connection.socket().set_read_timeout(patience).unwrap();
        let early = connection.exactly(1);
        connection.socket().set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        connection.say(format!("{SWITCH}{}", if early.is_some() { "early" } else { "hello" }));
        let ping = connection.exactly(4).unwrap_or_default();
        connection.say(ping);
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(format!("{HANDSHAKE}ping"));
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.exactly(9), b"helloping");
}

#[test]
fn only_websockets_switch() {
    let backend = Backend::always(answer("200 OK", "", "plain"));
    let guard = Guard::before(backend.address);
    for changed in [
        HANDSHAKE.replace("Upgrade: websocket", "Upgrade: h2c"),
        HANDSHAKE.replace("Version: 13", "Version: 12"),
        HANDSHAKE.replace("GET ", "POST "),
    ] {
        assert_eq!(ask(guard.address, &changed).text(), "plain");
    }
    for seen in backend.requests() {
        assert!(!seen.contains("\r\nUpgrade:"), "{seen}");
    }
}

#[test]
fn a_switch_that_nobody_asked_for_is_no_answer() {
    let backend = Backend::once(SWITCH);
    let guard = Guard::before(backend.address);
    assert_eq!(ask(guard.address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").status(), 502);
}

#[test]
fn an_open_stream_is_cut_at_the_drain_deadline_only() {
    let backend = echo();
    let guard = Guard::before(backend.address);
    let mut client = open(&guard);
    guard.begin_stop();
    std::thread::sleep(Duration::from_millis(1500));
    client.say("ping");
    assert_eq!(client.exactly(4), b"ping");
    let start = Instant::now();
    assert_eq!(guard.stop().lost_at_deadline, 1);
    assert!(start.elapsed() < Duration::from_secs(3));
}
