//! What the guard holds, catches and ends: panics, memory, bodies that nobody reads.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::backend::{Backend, answer, twiml};
use crate::support::client::{Answer, CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config, route};

const HELD: &str = "twiml_guard_buffered_bytes";
const PANICS: &str = "twiml_guard_panics_total";

/// A POST of so many bytes of which only the beginning is sent.
fn begun(path: &str, length: usize, start: &str) -> String {
    post(path, start).replace(
        &format!("Content-Length: {}\r\n", start.len()),
        &format!("Content-Length: {length}\r\n"),
    )
}

fn assert_fallback(answer: &Answer, cause: &str) {
    assert_eq!(answer.status(), 200, "{}", answer.head);
    assert!(answer.text().contains("<Say"), "{}", answer.text());
    let status = answer.header("proxy-status").unwrap_or_default();
    assert!(status.contains(&format!("details=\"{cause}\"")), "{status}");
    assert!(answer.header("twiml-guard-incident").is_some(), "{}", answer.head);
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// No file can say such times: adding them to the clock's panics.
fn panicking(backend: &Backend) -> Guard {
    let mut config = config(backend.address);
    config.budget = Duration::MAX;
    config.pass.first_byte = Duration::MAX;
    route(&mut config, "/whisper", "whisper", |_| {});
    Guard::with(config)
}

#[test]
fn a_panic_costs_no_webhook_its_answer() {
    let backend = Backend::always(twiml("hi"));
    let guard = panicking(&backend);
    let get_of_a_call = get(&format!("/voice?{CALL}"));
    for n in 1..=3 {
        assert_fallback(&ask(guard.address, &get_of_a_call), "guard-failure");
        assert_eq!(guard.metric(PANICS), n);
    }
    let whisper = ask(guard.address, post("/whisper", CALL));
    assert_eq!((whisper.status(), whisper.text().contains("<Say")), (200, false));
    assert!(whisper.text().contains("<Response"), "{}", whisper.text());
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_panic_on_a_passed_request_is_an_honest_500_and_others_are_served() {
    let backend = Backend::always(twiml("hi"));
    let guard = panicking(&backend);
    let mut bystander = Client::to(guard.address);
    for n in 1..=3 {
        let answer = ask(guard.address, get("/page"));
        assert_eq!(answer.status(), 500, "{}", answer.head);
        assert_eq!(
            answer.text(),
            "twiml-guard: the guard itself failed on this request; its log says how\n"
        );
        assert_eq!(guard.metric(PANICS), n);
        // Refused at the door: that needs no clock.
        bystander.say("TRACE / HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n");
        assert_eq!(bystander.answer().status(), 501);
        bystander = Client::to(guard.address);
    }
}

#[test]
fn beyond_the_room_for_bodies_webhooks_get_their_fallback_at_once() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    config.max_buffered = 100_000;
    config.budget = Duration::from_secs(8);
    config.max_request_body = 60_000;
    route(&mut config, "/voice", "voice", |_| {});
    let guard = Guard::with(config);
    let padded = format!("{CALL}&SpeechResult={}", "x".repeat(49_000));
    let mut slow: Vec<_> = (0..2).map(|_| Client::to(guard.address)).collect();
    for client in &mut slow {
        client.say(begun("/voice", padded.len() + 2, &padded));
    }
    let both = i64::try_from(2 * padded.len()).unwrap();
    until("both are held", || guard.metric(HELD) == both);
    for path in ["/voice", "/recognised"] {
        let start = Instant::now();
        let long = format!("{CALL}&SpeechResult={}", "x".repeat(2_000));
        assert_fallback(&ask(guard.address, post(path, &long)), "guard-full");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    // What is no webhook streams through, whatever its size.
    let upload = post("/upload", &"x".repeat(30_000));
    assert!(ask(guard.address, upload).text().contains("hi"));
    for client in &mut slow {
        client.say("ab");
        assert!(client.answer().text().contains("hi"));
    }
    until("nothing is held", || guard.metric(HELD) == 0);
    assert!(ask(guard.address, post("/voice", CALL)).text().contains("hi"));
}

#[test]
fn answers_take_room_as_they_come() {
    let is_done = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&is_done);
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n");
        connection.say(format!("<!doctype html><h1>{}</h1>", "x".repeat(60_000)));
        while !done.load(Ordering::SeqCst) {
            connection.rest(5);
        }
    });
    let mut config = config(backend.address);
    config.max_buffered = 100_000;
    config.budget = Duration::from_secs(8);
    let guard = Guard::with(config);
    let mut first = Client::to(guard.address);
    first.say(post("/voice", CALL));
    until("an answer is held", || guard.metric(HELD) > 60_000);
    let start = Instant::now();
    assert_fallback(&ask(guard.address, post("/voice", CALL)), "guard-full");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    is_done.store(true, Ordering::SeqCst);
    assert_fallback(&first.answer(), "html-page");
    until("nothing is held", || guard.metric(HELD) == 0);
}

/// Passed requests have one second for everything.
fn hasty(backend: &Backend) -> Guard {
    let mut config = config(backend.address);
    config.pass.first_byte = Duration::from_secs(1);
    config.pass.idle = Duration::from_secs(1);
    Guard::with(config)
}

/// Says pieces of a body with so much time between them; whether all could be said.
fn drip(client: &mut Client, pieces: usize, piece: &str, millis: u64) {
    for _ in 0..pieces {
        thread::sleep(Duration::from_millis(millis));
        client.say(piece);
    }
}

#[test]
fn an_upload_that_drips_ends_with_408_and_a_steady_one_is_taken() {
    let backend = Backend::always(twiml("hi"));
    let guard = hasty(&backend);
    let mut silent = Client::to(guard.address);
    silent.say(begun("/upload?1", 70_000, "x"));
    let mut dripping = Client::to(guard.address);
    dripping.say(begun("/upload?2", 70_000, "x"));
    let mut steady = Client::to(guard.address);
    steady.say(begun("/upload?3", 70_001, "x"));
    let start = Instant::now();
    let dripper = thread::spawn(move || {
        while start.elapsed() < Duration::from_millis(900) {
            drip(&mut dripping, 1, "xx", 100);
        }
        dripping.answer()
    });
    drip(&mut steady, 20, &"x".repeat(3_500), 150);
    assert!(start.elapsed() > Duration::from_millis(2_900));
    assert!(steady.answer().text().contains("hi"));
    for answer in [silent.answer(), dripper.join().unwrap()] {
        assert_eq!(answer.status(), 408, "{}", answer.head);
        assert_eq!(answer.header("connection"), Some("close"));
        let expected = "twiml-guard: the request's body came too slowly: less than 1 KiB in 1 s (pass_idle_timeout)\n";
        assert_eq!(answer.text(), expected);
    }
}

#[test]
fn a_passed_answer_has_its_time_for_the_first_byte_and_between_bytes() {
    let backend = Backend::start(|connection| {
        let request = connection.request().unwrap_or_default();
        if request.contains("/never") {
            connection.rest(4_000);
        }
        connection.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        for _ in 0..4 {
            connection.rest(600);
            connection.say(": heartbeat\n\n");
        }
        if request.contains("/stalls") {
            connection.rest(4_000);
        }
    });
    let guard = hasty(&backend);
    let never = ask(guard.address, get("/never"));
    assert_eq!(never.status(), 504);
    assert!(never.text().ends_with("did not answer in time (pass_first_byte_timeout)\n"));
    let mut events = Client::to(guard.address);
    events.say(get("/events").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    events.head();
    let (bytes, is_clean) = events.rest();
    assert!(is_clean);
    assert_eq!(String::from_utf8_lossy(&bytes).matches("heartbeat").count(), 4);
    let mut stalls = Client::to(guard.address);
    stalls.say(get("/stalls"));
    stalls.head();
    let (bytes, _) = stalls.rest();
    assert!(!bytes.ends_with(b"0\r\n\r\n"), "a cut answer must not look whole");
}

#[test]
fn an_upload_that_still_moves_keeps_a_silent_answer() {
    let backend = Backend::start(|connection| {
        connection.head();
        connection.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        connection.exactly(20 * 2_048);
        connection.say("done");
    });
    let guard = hasty(&backend);
    let mut client = Client::to(guard.address);
    // A form would be looked at before it goes on.
    let upload = begun("/upload", 20 * 2_048, "").replace("x-www-form-urlencoded", "octet-stream");
    client.say(upload);
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    drip(&mut client, 20, &"x".repeat(2_048), 120);
    assert_eq!(client.exactly(4), b"done");
}

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: pbx.example.com\r\n\r\n";

/// What is said on one connection, and how often it was answered.
fn answers_to(guard: &Guard, bytes: &str) -> usize {
    let mut client = Client::to(guard.address);
    client.say(bytes);
    let _ = client.socket().shutdown(std::net::Shutdown::Write);
    String::from_utf8_lossy(&client.rest().0).matches("HTTP/1.1 ").count()
}

#[test]
fn an_answer_of_the_guards_own_leaves_no_body_to_be_read_as_a_request() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    config.max_request_body = 2_000;
    config.budget = Duration::from_millis(600);
    route(&mut config, "/voice", "voice", |_| {});
    let guard = Guard::with(config);
    let length = SMUGGLED.len();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let requests = [
        // Refused at the door: method, host, framing.
        format!("TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"
        ),
        // No WebSocket, on a path that is one.
        format!(
            "GET /ws HTTP/1.1\r\nHost: a\r\nX-Twilio-Signature: x\r\nSec-WebSocket-Key: x\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"
        ),
        // Larger than is taken, and the rest of it looks like a request.
        format!(
            "POST /voice HTTP/1.1\r\nHost: a\r\n{form}Content-Length: {}\r\n\r\n{}{SMUGGLED}",
            3_000 + length,
            "x".repeat(3_000)
        ),
        format!(
            "POST /voice HTTP/1.1\r\nHost: a\r\n{form}Transfer-Encoding: chunked\r\n\r\nbb8\r\n{}\r\n{length:x}\r\n{SMUGGLED}\r\n0\r\n\r\n",
            "x".repeat(3_000)
        ),
    ];
    for request in requests {
        assert_eq!(answers_to(&guard, &request), 1, "{request}");
    }
    assert!(!backend.requests().iter().any(|seen| seen.starts_with("GET /smuggled")));
    assert!(!backend.requests().iter().any(|seen| seen.starts_with("POST /voice")));
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: Twilio.TmeWs/1.0\r\n\r\n";

const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";

/// What takes longest to look at: a document that is escaped whole.
fn escaped(size: usize) -> String {
    let piece = "&lt;Say&gt;a&lt;/Say&gt;";
    format!("&lt;Response&gt;{}&lt;/Response&gt;", piece.repeat(size / piece.len()))
}

#[test]
fn a_stream_does_not_wait_for_the_judgement_of_a_large_answer() {
    let large = escaped(1024 * 1024 - 1024);
    let backend = Backend::start(move |connection| {
        let Some(request) = connection.request() else { return };
        if !request.starts_with("GET /ws") {
            return connection.say(answer("200 OK", "Content-Type: text/html\r\n", &large));
        }
        connection.say(SWITCH);
        let mut frame = [0; 11];
        while connection.socket().read_exact(&mut frame).is_ok() {
            let unmasked: Vec<u8> = frame[6..].iter().map(|b| b ^ frame[2]).collect();
            connection.say([&[0x81, 5][..], &unmasked].concat());
        }
    });
    let mut config = config(backend.address);
    config.budget = Duration::from_secs(10);
    config.max_answer_body = 1024 * 1024;
    let guard = Guard::with(config);
    let mut stream = Client::to(guard.address);
    stream.say(HANDSHAKE);
    stream.head();
    let address = guard.address;
    let webhook = thread::spawn(move || {
        let start = Instant::now();
        (ask(address, post("/voice", CALL)).status(), start.elapsed())
    });
    let mut waits = Vec::new();
    while !webhook.is_finished() {
        let start = Instant::now();
        stream.say(b"\x81\x85\x01\x01\x01\x01idmmn");
        assert_eq!(stream.exactly(7), b"\x81\x05hello");
        waits.push(start.elapsed());
        thread::sleep(Duration::from_millis(5));
    }
    let (status, took) = webhook.join().unwrap();
    assert_eq!(status, 200);
    assert!(waits.len() >= 10, "judged in {took:?}: too soon to tell");
    waits.sort();
    // The last few are the machine's own, which others use too.
    let most = waits[waits.len() * 9 / 10];
    assert!(most < Duration::from_millis(50), "{most:?} while {took:?} were judged");
    assert!(waits[waits.len() - 1] < took / 4 + Duration::from_millis(100), "{waits:?}");
}
