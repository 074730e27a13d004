//! Clients that are too slow, silent or gone, and those that only look like it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use twiml_guard::config::Clients;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config};

const SECOND: Duration = Duration::from_secs(1);

fn guard(backend: &Backend, change: impl FnOnce(&mut Clients)) -> Guard {
    let mut config = config(backend.address);
    change(&mut config.clients);
    Guard::with(config)
}

/// What is read until the end, and when that came.
fn end(client: &mut Client) -> (String, Duration) {
    let start = Instant::now();
    let (bytes, _) = client.rest();
    (String::from_utf8_lossy(&bytes).into_owned(), start.elapsed())
}

fn is_about(took: Duration, expected: Duration) -> bool {
    took >= expected && took < expected + Duration::from_millis(1_200)
}

#[test]
fn a_silent_client_is_ended_in_silence() {
    let guard = guard(&Backend::always(twiml("hi")), |clients| clients.idle_timeout = SECOND);
    let (text, took) = end(&mut Client::to(guard.address));
    assert!(text.is_empty() && is_about(took, SECOND), "{text} {took:?}");
}

#[test]
fn a_client_that_asks_no_more_is_ended() {
    let guard = guard(&Backend::always(twiml("hi")), |clients| clients.idle_timeout = SECOND);
    let mut client = Client::to(guard.address);
    thread::sleep(Duration::from_millis(700));
    client.say(post("/voice", CALL));
    assert_eq!(client.answer().status(), 200);
    thread::sleep(Duration::from_millis(700));
    client.say(post("/voice", CALL));
    assert_eq!(client.answer().status(), 200, "the time begins anew with each request");
    let (text, took) = end(&mut client);
    assert!(
        text.is_empty() && is_about(took, SECOND - Duration::from_millis(50)),
        "{text} {took:?}"
    );
}

#[test]
fn a_head_that_drips_is_answered_408_in_its_time() {
    let guard = guard(&Backend::always(twiml("hi")), |clients| clients.head_timeout = SECOND);
    let mut client = Client::to(guard.address);
    let mut other = client.socket().try_clone().unwrap();
    thread::spawn(move || {
        for byte in get("/slow").bytes() {
            if other.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    });
    let (text, took) = end(&mut client);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
    assert!(text.contains("\r\nConnection: close\r\n") && text.ends_with("head is too slow\n"));
    assert!(is_about(took, SECOND - Duration::from_millis(50)), "{took:?}");
}

#[test]
fn half_a_second_head_is_answered_408_too() {
    let guard = guard(&Backend::always(twiml("hi")), |clients| clients.head_timeout = SECOND);
    let mut client = Client::to(guard.address);
    client.say(post("/voice", CALL));
    assert_eq!(client.answer().status(), 200);
    client.say("POST /voice HTTP/1.1\r\nHo");
    let (text, took) = end(&mut client);
    assert!(text.starts_with("HTTP/1.1 408 ") && is_about(took, SECOND), "{text} {took:?}");
}

#[test]
fn a_slow_backend_is_no_slow_client() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.rest(3_000);
            connection.say(answer("200 OK", "", "late"));
        }
    });
    let guard = guard(&backend, |clients| {
        (clients.head_timeout, clients.idle_timeout) = (SECOND, SECOND);
        clients.write_timeout = SECOND;
    });
    assert_eq!(ask(guard.address, get("/")).text(), "late");
}

/// A backend that sends so many MiB, as fast as they are taken.
fn large(mib: usize) -> Backend {
    Backend::start(move |connection| {
        if connection.request().is_none() {
            return;
        }
        connection.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", mib << 20));
        let block = vec![b'x'; 1 << 20];
        for _ in 0..mib {
            connection.say(&block);
        }
    })
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let guard = guard(&large(64), |clients| clients.write_timeout = SECOND);
    let mut client = Client::to(guard.address);
    client.say(get("/large"));
    assert!(client.head().starts_with("HTTP/1.1 200"));
    thread::sleep(Duration::from_secs(3));
    let (bytes, clean) = client.rest();
    assert!(bytes.len() < 64 << 20 && !clean, "{} {clean}", bytes.len());
}

#[test]
fn a_client_that_takes_its_time_gets_everything() {
    let guard = guard(&large(24), |clients| clients.write_timeout = SECOND);
    let mut client = Client::to(guard.address);
    client.say(get("/large"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut left = 24 << 20;
    while left > 0 {
        left -= client.exactly((256 << 10).min(left)).len();
        thread::sleep(Duration::from_millis(40));
    }
}

#[test]
fn a_stream_of_events_lives_on() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        for n in 0..5 {
            connection.rest(1_000);
            connection.say(format!("data: {n}\n\n"));
        }
    });
    let guard = guard(&backend, |clients| {
        (clients.head_timeout, clients.idle_timeout) = (SECOND / 2, SECOND / 2);
        clients.write_timeout = SECOND / 2;
    });
    let text = ask(guard.address, get("/events")).text();
    assert_eq!(text.matches("data: ").count(), 5, "{text}");
}

#[test]
fn a_client_that_has_said_everything_gets_its_answer() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.rest(500);
        connection.say(twiml("hi"));
    });
    let guard = guard(&backend, |_| {});
    let mut client = Client::to(guard.address);
    client.say(post("/voice", CALL));
    client.socket().shutdown(std::net::Shutdown::Write).unwrap();
    let answer = client.answer();
    assert!(answer.text().contains("hi"), "{answer:?}");
}

#[test]
fn a_thousand_half_heads_keep_nobody_waiting() {
    let backend = Backend::always(twiml("hi"));
    let guard = guard(&backend, |clients| clients.head_timeout = Duration::from_secs(3));
    let start = Instant::now();
    let mut half: Vec<_> = (0..1_000)
        .filter_map(|_| {
            let mut stream = TcpStream::connect(guard.address).ok()?;
            stream.write_all(b"POST /voice HTTP/1.1\r\nHo").ok()?;
            Some(stream)
        })
        .collect();
    while start.elapsed() < Duration::from_millis(1_500) {
        let asked = Instant::now();
        assert!(ask(guard.address, post("/voice", CALL)).text().contains("hi"));
        assert!(asked.elapsed() < SECOND, "{:?}", asked.elapsed());
    }
    for stream in &mut half {
        stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408 "), "{text}");
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
}
