//! Connections to the backend: used again, replaced, never trusted after a fault.

use std::thread;
use std::time::Duration;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config, route};

#[test]
fn one_connection_serves_many_requests() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(post("/voice", CALL));
    client.answer();
    // Seen to stay open for a second, it is used for webhooks too.
    thread::sleep(Duration::from_millis(1_100));
    client.say(get("/page"));
    client.answer();
    for n in 0..50 {
        client.say(if n % 2 == 0 { post("/voice", CALL) } else { get("/page") });
        assert_eq!(client.answer().status(), 200);
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_connection_that_the_backend_closed_is_replaced_silently() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say(twiml(&format!("number {}", connection.number)));
    });
    let guard = Guard::before(backend.address);
    for n in 0..10 {
        assert!(ask(guard.address, post("/voice", CALL)).text().contains(&format!("number {n}<")));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_post_uses_no_connection_that_was_idle_for_a_second() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    ask(guard.address, post("/voice", CALL));
    thread::sleep(Duration::from_millis(1200));
    ask(guard.address, get("/page"));
    assert_eq!(backend.connections(), 1, "a GET may use it");
    thread::sleep(Duration::from_millis(1200));
    ask(guard.address, post("/voice", CALL));
    assert_eq!(backend.connections(), 2, "a webhook may not");
}

#[test]
fn bytes_behind_an_answer_never_reach_another_caller() {
    let evil = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 42\r\n\r\n<Response><Say>wrong call!</Say></Response>";
    for behind in [evil, "x", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"] {
        let backend = Backend::start(move |connection| {
            while connection.request().is_some() {
                connection.say(twiml("right") + behind);
            }
        });
        let guard = Guard::before(backend.address);
        let mut client = Client::to(guard.address);
        for _ in 0..16 {
            client.say(post("/voice", CALL));
            let got = client.answer();
            assert_eq!(got.text(), "<Response><Say>right</Say></Response>", "{behind:?}");
            assert_eq!(got.header("twiml-guard-incident"), None, "{behind:?}");
        }
    }
}

#[test]
fn a_large_answer_is_gathered_whole_and_a_byte_behind_it_ends_its_connection() {
    let body = format!("<Response>{}</Response>", "<Say>word after word</Say>".repeat(1_500));
    for behind in ["", "x", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let whole = answer("200 OK", "Content-Type: text/xml\r\n", &body) + behind;
        let backend = Backend::start(move |connection| {
            while connection.request().is_some() {
                let (first, rest) = whole.split_at(9_000);
                let (second, last) = rest.split_at(20_000);
                for piece in [first, second, last] {
                    connection.say(piece);
                    connection.rest(5);
                }
            }
        });
        let mut config = config(backend.address);
        route(&mut config, "/voice", "voice", |_| {});
        let guard = Guard::with(config);
        let mut client = Client::to(guard.address);
        for _ in 0..3 {
            client.say(get("/voice"));
            let got = client.answer();
            assert_eq!(got.text(), body, "{behind:?}");
            assert_eq!(got.header("twiml-guard-incident"), None, "{behind:?}");
        }
        assert_eq!(backend.connections(), if behind.is_empty() { 1 } else { 3 }, "{behind:?}");
    }
}

#[test]
fn a_late_answer_never_reaches_another_caller() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains("slow=1") {
                connection.rest(1800);
                connection.say(twiml("late"));
            } else {
                connection.say(twiml("own"));
            }
        }
    });
    let guard = Guard::before(backend.address);
    let slow = ask(guard.address, post("/voice", &format!("{CALL}&slow=1")));
    assert!(!slow.text().contains("late"));
    for _ in 0..5 {
        assert!(ask(guard.address, post("/voice", CALL)).text().contains("own"));
        thread::sleep(Duration::from_millis(120));
    }
}

/// Many callers, and a backend that answers, lingers, cuts, babbles and leaves in turn.
#[test]
fn nobody_gets_the_answer_of_another_call() {
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let backend = Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            let own = request.rsplit("Token=").next().unwrap().to_owned();
            let good = twiml(&own);
            match turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 11 {
                0 => return connection.say(good),
                1 => connection.say(good + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                2 => return connection.say(&good[..good.len() - 12]),
                3 => return connection.reset(),
                4 => {
                    connection.rest(30);
                    connection.say(good);
                }
                5 => return,
                6 => {
                    connection.say(good);
                    connection.rest(2);
                    connection.say("x");
                }
                _ => connection.say(good),
            }
        }
    });
    let guard = Guard::before(backend.address);
    let address = guard.address;
    let callers: Vec<_> = (0..16)
        .map(|caller| {
            thread::spawn(move || {
                let mut client = Client::to(address);
                let mut own = 0;
                for n in 0..60 {
                    let token = format!("_{caller}-{n}_");
                    client.say(post("/voice", &format!("{CALL}&Token={token}")));
                    let text = client.answer().text();
                    if text.contains(&token) {
                        own += 1;
                    } else {
                        assert!(text.contains("technical problem"), "{token}: {text}");
                    }
                }
                own
            })
        })
        .collect();
    let own: usize = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
    assert!(own > 16 * 60 / 2, "only {own} of 960 got their own answer");
}

#[test]
fn a_post_that_reached_the_backend_is_not_sent_again() {
    let backend = Backend::start(|connection| {
        connection.request();
        if connection.number == 0 {
            connection.say(twiml("first"));
            connection.request();
        }
    });
    let guard = Guard::before(backend.address);
    assert!(ask(guard.address, post("/voice", CALL)).text().contains("first"));
    let got = ask(guard.address, post("/voice", CALL));
    assert!(got.header("proxy-status").unwrap().contains("connection_terminated"));
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_get_whose_kept_connection_died_is_sent_again_while_observing_too() {
    for observe in [false, true] {
        let backend = Backend::start(|connection| {
            while connection
                .request()
                .is_some_and(|request| connection.number > 0 || !request.contains("second"))
            {
                connection.say(twiml("fine"));
            }
        });
        let mut config = config(backend.address);
        route(&mut config, "/voice", "voice", |policy| policy.observe = observe);
        let guard = Guard::with(config);
        for turn in ["first", "second"] {
            let got = ask(guard.address, get(&format!("/voice?{CALL}&turn={turn}")));
            assert!(got.text().contains("fine"), "{turn}, observe: {observe}: {}", got.text());
        }
        assert_eq!(backend.connections(), 2);
        assert_eq!(guard.metric("twiml_guard_resent_total"), 1);
    }
}

#[test]
fn an_answer_before_the_upload_ends_does_not_spoil_the_connection() {
    let backend = Backend::start(|connection| {
        while let Some(head) = connection.head() {
            connection.say(answer("413 Too Large", "", "no"));
            if head.starts_with("PUT") {
                connection.exactly(1_000_000);
            }
        }
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    assert_eq!(client.answer().status(), 413);
    for _ in 0..3 {
        assert_eq!(ask(guard.address, get("/")).text(), "no");
    }
}

#[test]
fn a_backend_that_closes_what_it_promised_to_keep_gets_no_second_request_on_a_connection() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say(twiml("menu"));
        // No `Connection: close`: whoever sends at once loses its request.
        thread::sleep(Duration::from_millis(30));
    });
    let guard = Guard::before(backend.address);
    ask(guard.address, post("/voice", CALL));
    thread::sleep(Duration::from_millis(80));
    for n in 0..10 {
        assert!(ask(guard.address, post("/voice", CALL)).text().contains("menu"), "request {n}");
        thread::sleep(Duration::from_millis(10));
    }
}
