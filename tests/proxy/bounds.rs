//! What the guard holds, catches and ends: panics, memory, bodies that nobody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::backend::{Backend, twiml};
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
