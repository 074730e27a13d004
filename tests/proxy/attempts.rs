//! Twilio's attempts of one request: the backend is asked once.

use std::thread;
use std::time::Duration;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::binary::Running;
use crate::support::client::{Answer, CALL, Client, ask};
use crate::support::guard::{Guard, config, route};

/// A form post with a token.
fn attempt(path: &str, token: &str, form: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: pbx.example.com\r\nI-Twilio-Idempotency-Token: {token}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
}

/// Answers after some time, and says how often it was asked.
fn slow(millis: u64) -> Backend {
    Backend::start(move |connection| {
        while connection.request().is_some() {
            connection.rest(millis);
            connection.say(answer("500 Oops", "Content-Type: text/html\r\n", "<html>no</html>"));
        }
    })
}

fn same(one: &Answer, other: &Answer) {
    assert_eq!((&one.head, &one.body), (&other.head, &other.body));
}

#[test]
fn a_retry_while_the_first_attempt_runs_gets_its_answer_from_any_worker() {
    let backend = slow(600);
    let mut config = config(backend.address);
    config.workers = 2;
    let guard = Guard::with(config);
    let address = guard.address;
    let ask_once = move || ask(address, attempt("/voice", "t1", CALL));
    let others: Vec<_> = (0..8)
        .map(|_| {
            thread::sleep(Duration::from_millis(20));
            thread::spawn(ask_once)
        })
        .collect();
    let answers: Vec<_> = others.into_iter().map(|other| other.join().unwrap()).collect();
    assert!(answers[0].header("twiml-guard-incident").is_some(), "{}", answers[0].head);
    for other in &answers {
        same(&answers[0], other);
    }
    // And afterwards.
    same(&answers[0], &ask_once());
    assert_eq!(backend.requests().len(), 1);
    assert_eq!(guard.stop().answers, 1);
}

#[test]
fn a_retry_after_the_first_client_vanished_gets_the_answer() {
    let backend = slow(600);
    let guard = Guard::before(backend.address);
    let mut first = Client::to(guard.address);
    first.say(attempt("/voice", "t1", CALL));
    thread::sleep(Duration::from_millis(200));
    drop(first);
    let got = ask(guard.address, attempt("/voice", "t1", CALL));
    assert!(got.text().contains("<Say"), "{}", got.text());
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn another_body_target_or_token_and_none_at_all_are_asked() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let other = format!("{CALL}&Digits=1");
    let requests = [
        attempt("/voice", "t1", CALL),
        attempt("/voice?x=1", "t1", CALL),
        attempt("/voice", "t2", CALL),
        attempt("/voice", "t1", &other),
        attempt("/voice", "", CALL),
        attempt("/voice", "", CALL),
    ];
    for request in &requests {
        assert!(ask(guard.address, request).text().contains("hi"));
    }
    assert_eq!(backend.requests().len(), requests.len());
}

#[test]
fn observe_mode_shares_nothing() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    route(&mut config, "/voice", "auto", |policy| policy.observe = true);
    let guard = Guard::with(config);
    for _ in 0..2 {
        ask(guard.address, attempt("/voice", "t1", CALL));
    }
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_retry_after_a_reset_gets_the_answer_from_the_real_guard() {
    let backend = slow(800);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guard.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://{}\"\nworkers = 3\nstate_dir = {:?}\n[ops]\nlisten = \"off\"\n[log]\nformat = \"json\"\n",
        backend.address,
        folder.path().join("state"),
    );
    std::fs::write(&file, text).unwrap();
    let mut guard = Running::start(&["serve", "--config", file.to_str().unwrap()]);
    let address = guard.address();
    let mut first = Client::to(address);
    first.say(attempt("/voice", "t1", CALL));
    thread::sleep(Duration::from_millis(200));
    // Closed with a reset instead of an end.
    socket2::SockRef::from(first.socket()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(first);
    let while_it_runs = ask(address, attempt("/voice", "t1", CALL));
    assert!(while_it_runs.text().contains("<Say"), "{}", while_it_runs.text());
    same(&while_it_runs, &ask(address, attempt("/voice", "t1", CALL)));
    assert_eq!(backend.requests().len(), 1);
}
