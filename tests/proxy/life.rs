//! Start, drain, end.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use twiml_guard::incidents::instruments;
use twiml_guard::incidents::recorder::Recorder;
use twiml_guard::proxy::Proxy;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config};

#[test]
fn a_taken_address_is_named_with_what_to_do() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    config.listen = backend.address.into();
    let error = Proxy::bind(
        Arc::new(config),
        Recorder::without_writer(instruments().unwrap()),
        instruments().unwrap(),
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains(&backend.address.to_string()) && error.contains("--listen"), "{error}");
}

#[test]
fn what_is_in_flight_at_the_stop_is_finished() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.rest(700);
            connection.say(twiml("finished"));
        }
    });
    let guard = Guard::before(backend.address);
    let address = guard.address;
    let callers: Vec<_> =
        (0..20).map(|_| thread::spawn(move || ask(address, post("/voice", CALL)).text())).collect();
    thread::sleep(Duration::from_millis(300));
    guard.begin_stop();
    thread::sleep(Duration::from_millis(100));
    assert!(TcpStream::connect(address).is_err(), "new connections are refused");
    for caller in callers {
        assert!(caller.join().unwrap().contains("finished"));
    }
    let summary = guard.stop();
    assert_eq!((summary.answers, summary.untouched, summary.lost_at_deadline), (20, 20, 0));
}

#[test]
fn idle_and_half_open_connections_do_not_hold_the_stop_up() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    config.drain_timeout = Duration::from_secs(20);
    let guard = Guard::with(config);
    let mut idle: Vec<_> = (0..20).map(|_| Client::to(guard.address)).collect();
    for client in &mut idle {
        client.say(get("/"));
        client.answer();
    }
    let mut half = Client::to(guard.address);
    half.say("GET / HT");
    let _silent = Client::to(guard.address);
    thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    assert_eq!(guard.stop().lost_at_deadline, 0);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn an_answer_that_streams_through_the_stop_is_finished() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
        for _ in 0..20 {
            connection.rest(250);
            connection.say("x");
        }
    });
    let mut config = config(backend.address);
    config.drain_timeout = Duration::from_secs(20);
    let guard = Guard::with(config);
    let mut client = Client::to(guard.address);
    client.say(get("/slow"));
    client.head();
    guard.begin_stop();
    assert_eq!(client.exactly(20), [b'x'; 20]);
    assert_eq!(guard.stop().lost_at_deadline, 0);
}

#[test]
fn a_stuck_exchange_is_cut_at_the_deadline() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.rest(8_000);
    });
    let mut config = config(backend.address);
    config.drain_timeout = Duration::from_millis(600);
    let guard = Guard::with(config);
    let mut client = Client::to(guard.address);
    client.say(get("/page"));
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    assert_eq!(guard.stop().lost_at_deadline, 1);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn several_workers_share_one_address() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    config.workers = 3;
    let guard = Guard::with(config);
    let address = guard.address;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::to(address);
                for _ in 0..40 {
                    client.say(post("/voice", CALL));
                    assert_eq!(client.answer().status(), 200);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(guard.stop().untouched, 320);
}

#[test]
fn hung_webhooks_do_not_hold_others_up() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("POST") {
                connection.rest(4_000);
            }
            connection.say(answer("200 OK", "", "page"));
        }
    });
    let guard = Guard::before(backend.address);
    let address = guard.address;
    let callers: Vec<_> = (0..100)
        .map(|_| thread::spawn(move || ask(address, post("/voice", CALL)).text()))
        .collect();
    thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(ask(address, get("/page")).text(), "page");
    assert!(start.elapsed() < Duration::from_millis(800), "{:?}", start.elapsed());
    for caller in callers {
        assert!(caller.join().unwrap().contains("<Say"));
    }
}
