//! What streams through.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::backend::{Backend, answer};
use crate::support::client::{Client, ask, get, post};
use crate::support::guard::{Guard, config, route};

#[test]
fn any_method_and_any_status_pass() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let line = request.lines().next().unwrap().to_owned();
            connection.say(answer("418 Short And Stout", "X-Own: 1\r\n", &line));
        }
    });
    let guard = Guard::before(backend.address);
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let got = ask(guard.address, format!("{method} /a?b HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(
            got.head,
            "HTTP/1.1 418 Short And Stout\r\nX-Own: 1\r\nContent-Length: ".to_owned()
                + &format!("{}\r\nDate: {}\r\n\r\n", got.body.len(), got.header("date").unwrap()),
            "{method}"
        );
        assert_eq!(got.text(), format!("{method} /a?b HTTP/1.1"));
    }
    let got = ask(guard.address, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(got.text(), "OPTIONS * HTTP/1.1");
    assert_eq!(guard.stop().passed, 7);
}

#[test]
fn head_and_bodiless_answers_keep_their_headers() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.say(match request.split(' ').nth(1) {
                Some("/head") => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                Some("/304") => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                _ => "HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n",
            });
        }
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.head().contains("\r\nContent-Length: 1234\r\n"));
    client.say(get("/304"));
    assert!(client.head().starts_with("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n"));
    client.say(get("/204"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 204 No Content\r\nX-Own: 1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("content-length"), "{head}");
    assert_eq!(backend.connections(), 1);
}

#[test]
fn a_large_upload_and_a_large_download_stream() {
    const SIZE: usize = 24 * 1024 * 1024;
    let backend = Backend::start(|connection| {
        while let Some(head) = connection.head() {
            if head.starts_with("POST") {
                let mut left = SIZE;
                while left > 0 {
                    let step = left.min(64 * 1024);
                    connection.exactly(step).unwrap();
                    left -= step;
                }
                connection.say(answer("200 OK", "", "got it"));
            } else {
                connection.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n"));
                let block = vec![b'x'; 64 * 1024];
                for _ in 0..SIZE / block.len() {
                    connection.say(&block);
                }
            }
        }
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n"));
    let block = vec![b'y'; 64 * 1024];
    for _ in 0..SIZE / block.len() {
        client.say(&block);
    }
    assert_eq!(client.answer().text(), "got it");
    client.say(get("/down"));
    let got = client.answer();
    assert_eq!(got.body.len(), SIZE);
    assert!(got.body.iter().all(|&b| b == b'x'));
}

#[test]
fn a_large_form_without_a_route_streams_whole() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let (_, body) = request.split_once("\r\n\r\n").unwrap();
            connection.say(answer("200 OK", "", &body.len().to_string()));
        }
    });
    let guard = Guard::before(backend.address);
    let form = format!("a={}", "b".repeat(500_000));
    assert_eq!(ask(guard.address, post("/form", &form)).text(), "500002");
    let chunked = format!(
        "POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{form}\r\n0\r\n\r\n",
        form.len()
    );
    assert_eq!(ask(guard.address, chunked).text(), "500002");
    assert_eq!(ask(guard.address, post("/form", "a=b")).text(), "3");
}

#[test]
fn events_arrive_at_once() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            connection.say("9\r\ndata: a\n\n\r\n");
            connection.rest(300);
        }
        connection.say("0\r\n\r\n");
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    let start = Instant::now();
    client.say(get("/events"));
    client.head();
    client.exactly(14);
    assert!(start.elapsed() < Duration::from_millis(250), "{:?}", start.elapsed());
    client.exactly(14);
    assert!(start.elapsed() < Duration::from_millis(550), "{:?}", start.elapsed());
}

#[test]
fn trailers_pass_to_who_asked_for_them() {
    let backend = Backend::always(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n");
    let (got, _) = client.rest();
    let got = String::from_utf8(got).unwrap().to_ascii_lowercase();
    assert!(got.ends_with("2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"), "{got}");
}

#[test]
fn an_upload_streams_before_it_is_complete() {
    let backend = Backend::start(|connection| {
        connection.head();
        assert_eq!(connection.exactly(5).unwrap(), "first");
        connection.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        let later = connection.exactly(5).unwrap_or_default();
        connection.say(later);
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst");
    assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
    client.say("later");
    assert_eq!(client.exactly(5), b"later");
}

#[test]
fn expect_continue_is_answered_and_not_passed_on() {
    let backend = Backend::always(answer("200 OK", "", "fine"));
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("PUT /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.say("ab");
    assert_eq!(client.answer().text(), "fine");
    assert!(!backend.requests()[0].to_ascii_lowercase().contains("expect"));
}

#[test]
fn an_old_client_gets_an_old_answer() {
    let backend = Backend::always(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("GET / HTTP/1.0\r\n\r\n");
    let (got, _) = client.rest();
    let got = String::from_utf8(got).unwrap();
    assert!(got.starts_with("HTTP/1.0 200 OK\r\n") && got.ends_with("\r\n\r\nhi"), "{got}");
    let seen = backend.requests().remove(0);
    assert!(seen.contains(&format!("\r\nHost: {}\r\n", backend.address)), "{seen}");
    assert!(seen.contains("\r\nVia: 1.0 twiml-guard\r\n"), "{seen}");
}

#[test]
fn an_old_client_is_told_by_a_reset_that_its_answer_was_cut() {
    let backend =
        Backend::once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say("GET / HTTP/1.0\r\n\r\n");
    let (_, ended_cleanly) = client.rest();
    assert!(!ended_cleanly);
}

#[test]
fn a_pass_route_is_never_judged() {
    let backend = Backend::always(answer("500 X", "Content-Type: text/html\r\n", "<html></html>"));
    let mut config = config(backend.address);
    route(&mut config, "/voice", "pass", |_| {});
    let guard = Guard::with(config);
    let got = ask(guard.address, post("/voice", crate::support::client::CALL));
    assert_eq!((got.status(), got.text().as_str()), (500, "<html></html>"));
}

#[test]
fn a_slow_reader_holds_the_backend_back() {
    let (sent, progress) = std::sync::mpsc::channel();
    let sent = std::sync::Mutex::new(sent);
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.say("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        connection.socket().set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let block = vec![0; 64 * 1024];
        let mut total = 0;
        while std::io::Write::write_all(connection.socket(), &block).is_ok() {
            total += block.len();
        }
        let _ = sent.lock().unwrap().send(total);
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(get("/down"));
    client.head();
    let total = progress.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(total < 32 * 1024 * 1024, "{total} bytes were taken for a reader that reads nothing");
    drop(client);
    thread::sleep(Duration::from_millis(10));
}
