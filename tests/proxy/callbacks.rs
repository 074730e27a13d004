//! Callbacks of a backend that is slow, fails or is not there.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use twiml_guard::config::Config;
use twiml_guard::config::route::{Callbacks, Route};

use crate::support::backend::{Backend, answer};
use crate::support::binary::Running;
use crate::support::client::{Answer, CALL, ask, post};
use crate::support::guard::{Guard, config, nobody, route};

/// A guard's configuration with `/status` for callbacks.
fn with(backend: std::net::SocketAddr, callbacks: Callbacks, folder: Option<&Path>) -> Config {
    let mut config = config(backend);
    let mut own = Route::clone(&config.default_route);
    own.callbacks = callbacks;
    config.default_route = Arc::new(own);
    config.state_dir = folder.map(Path::to_owned);
    route(&mut config, "/status", "callback", |_| {});
    config
}

/// Says 503 until it is told to work; then 204.
fn moody() -> (Backend, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&works);
    let backend = Backend::start(move |connection| {
        while connection.request().is_some() {
            let status =
                if asked.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
            connection.say(answer(status, "", ""));
        }
    });
    (backend, works)
}

/// One request, on a connection that is closed after it: a 204 has no length to read by.
fn tell(guard: std::net::SocketAddr, request: &str) -> Answer {
    ask(guard, request.replacen("Host:", "Connection: close\r\nHost:", 1))
}

/// Waits until this holds, 10 s at most.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_prompt_answer_leaves_as_it_came() {
    let backend = Backend::always(
        "HTTP/1.1 202 Thanks\r\nDate: x\r\nX-Own: 1\r\nContent-Length: 2\r\n\r\nok",
    );
    for callbacks in [Callbacks::Ack, Callbacks::Pass, Callbacks::Redeliver] {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::with(with(backend.address, callbacks, Some(folder.path())));
        let got = tell(guard.address, &post("/status", CALL));
        let head = got.head.to_lowercase().replace("connection: close\r\n", "");
        assert_eq!(head, "http/1.1 202 thanks\r\ndate: x\r\nx-own: 1\r\ncontent-length: 2\r\n\r\n");
        assert_eq!(got.text(), "ok");
    }
}

#[test]
fn a_slow_backend_is_answered_for_after_a_second_and_not_cut() {
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let backend = Backend::start(move |connection| {
        connection.request();
        connection.rest(2500);
        connection.say(answer("200 OK", "", ""));
        // The guard still reads: it closes after the answer, or keeps the connection.
        finished.store(connection.socket().peer_addr().is_ok(), Ordering::SeqCst);
    });
    let guard = Guard::with(with(backend.address, Callbacks::Ack, None));
    let start = Instant::now();
    let got = tell(guard.address, &post("/status", CALL));
    let took = start.elapsed();
    assert_eq!(got.status(), 204, "{}", got.head);
    assert!((900..1400).contains(&took.as_millis()), "{took:?}");
    assert!(got.header("twiml-guard-incident").is_some(), "{}", got.head);
    eventually("the attempt goes on", || done.load(Ordering::SeqCst));
    assert_eq!(backend.requests().len(), 1);
    let summary = guard.stop();
    assert_eq!((summary.answers, summary.repaired), (1, 1), "{summary:?}");
}

#[test]
fn a_failure_is_acknowledged_and_not_asked_again() {
    for said in ["HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "garbage\r\n\r\n", ""] {
        let backend = Backend::once(said);
        let guard = Guard::with(with(backend.address, Callbacks::Ack, None));
        assert_eq!(tell(guard.address, &post("/status", CALL)).status(), 204, "{said:?}");
        thread::sleep(Duration::from_millis(600));
        assert_eq!(backend.requests().len(), 1, "{said:?}");
    }
}

#[test]
fn a_reset_after_the_request_is_not_asked_again() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.reset();
    });
    let guard = Guard::with(with(backend.address, Callbacks::Ack, None));
    assert_eq!(tell(guard.address, &post("/status", CALL)).status(), 204);
    thread::sleep(Duration::from_millis(600));
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_backend_that_starts_later_gets_the_callback() {
    let address = nobody();
    let guard = Guard::with(with(address, Callbacks::Ack, None));
    let got = tell(guard.address, &post("/status", CALL));
    assert_eq!(got.status(), 204);
    let listener = TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    eventually("it is tried again", || listener.accept().is_ok());
    drop(listener);
}

#[test]
fn an_action_is_never_acknowledged() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.rest(1200);
        connection.say(answer("204 No Content", "", ""));
    });
    let mut config = with(backend.address, Callbacks::Ack, None);
    route(&mut config, "/ended", "action", |_| {});
    let guard = Guard::with(config);
    let form = CALL.replace("CallStatus=ringing", "CallStatus=in-progress");
    let got = tell(guard.address, &post("/ended", &form));
    assert_eq!(got.status(), 200);
    assert!(got.text().contains("<Say"), "{}", got.text());
}

#[test]
fn observe_mode_acknowledges_nothing() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.rest(1200);
        connection.say(answer("500 Oops", "", "no"));
    });
    let mut config = config(backend.address);
    route(&mut config, "/status", "callback", |policy| policy.observe = true);
    let guard = Guard::with(config);
    assert_eq!(tell(guard.address, &post("/status", CALL)).status(), 500);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn passed_callbacks_are_left_alone() {
    let backend = Backend::always(answer("500 Oops", "", "no"));
    let guard = Guard::with(with(backend.address, Callbacks::Pass, None));
    let got = tell(guard.address, &post("/status", CALL));
    assert_eq!((got.status(), got.text().as_str()), (500, "no"));
    let summary = guard.stop();
    assert_eq!((summary.passed, summary.answers), (1, 0), "{summary:?}");
}

#[test]
fn a_large_one_passes_where_hands_are_off_and_is_else_acknowledged() {
    let form = format!("{CALL}&CallbackSource=x&Filler={}", "x".repeat(80_000));
    let backend = Backend::always(answer("200 OK", "", ""));
    // Configured as one, and found by its parameters.
    for (path, callbacks, status) in [
        ("/status", Callbacks::Pass, 200),
        ("/other", Callbacks::Pass, 200),
        ("/status", Callbacks::Ack, 204),
    ] {
        let before = backend.requests().len();
        let guard = Guard::with(with(backend.address, callbacks, None));
        let got = tell(guard.address, &post(path, &form));
        assert_eq!(got.status(), status, "{path} {callbacks:?}");
        let all = backend.requests();
        assert_eq!(all.len() - before, usize::from(status == 200), "{path} {callbacks:?}");
        assert!(status == 204 || all.last().unwrap().ends_with(&form), "{path} {callbacks:?}");
    }
}

#[test]
fn what_failed_is_redelivered_in_order_and_as_it_came() {
    let (backend, works) = moody();
    let folder = tempfile::tempdir().unwrap();
    let guard = Guard::with(with(backend.address, Callbacks::Redeliver, Some(folder.path())));
    let form = |n: u32| format!("{CALL}&SequenceNumber={n}");
    for n in 0..4 {
        let signed = post("/status?a=%2F&b", &form(n)).replace(
            "Host:",
            "X-Twilio-Signature: c2lnbmVk\r\nI-Twilio-Idempotency-Token: t\r\nHost:",
        );
        assert_eq!(tell(guard.address, &signed).status(), 204);
    }
    works.store(true, Ordering::SeqCst);
    let delivered = |n: u32| {
        let all = backend.requests();
        all.iter().rposition(|request| request.ends_with(&form(n))).unwrap_or(usize::MAX)
    };
    eventually("all are redelivered", || (1..4).all(|n| delivered(n) != usize::MAX));
    assert!((0..3).all(|n| delivered(n) < delivered(n + 1)), "{:#?}", backend.requests());
    let last = backend.requests().pop().unwrap();
    assert!(last.starts_with("POST /status?a=%2F&b HTTP/1.1\r\n"), "{last}");
    for line in
        ["x-twilio-signature: c2lnbmVk", "i-twilio-idempotency-token: t", "host: pbx.example.com"]
    {
        assert!(last.to_lowercase().contains(&line.to_lowercase()), "{last}");
    }
    guard.stop();
    assert_eq!(queued(folder.path()), 0);
}

#[test]
fn what_waits_is_redelivered_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let guard = Guard::with(with(nobody(), Callbacks::Redeliver, Some(folder.path())));
    assert_eq!(tell(guard.address, &post("/status", CALL)).status(), 204);
    guard.stop();
    assert_eq!(queued(folder.path()), 1);
    let (backend, works) = moody();
    works.store(true, Ordering::SeqCst);
    // It was put there by another configuration.
    let guard = Guard::with(with(backend.address, Callbacks::Ack, Some(folder.path())));
    eventually("it is redelivered", || backend.requests().len() == 1);
    guard.stop();
    assert_eq!(queued(folder.path()), 0);
}

#[test]
fn several_workers_keep_the_order_of_each_call_and_deliver_once() {
    let (backend, works) = moody();
    let folder = tempfile::tempdir().unwrap();
    let mut config = with(backend.address, Callbacks::Redeliver, Some(folder.path()));
    config.workers = 4;
    let guard = Guard::with(config);
    let form = |call: u32, n: u32| {
        format!("{}&SequenceNumber={n}", CALL.replace("CA0123", &format!("CA{call}123")))
    };
    for n in 0..6 {
        for call in 1..5 {
            assert_eq!(tell(guard.address, &post("/status", &form(call, n))).status(), 204);
        }
    }
    let failed = backend.requests().len();
    works.store(true, Ordering::SeqCst);
    eventually("all are redelivered", || backend.requests().len() >= failed + 24);
    thread::sleep(Duration::from_millis(300));
    let taken = backend.requests().split_off(failed);
    for call in 1..5 {
        let of_call = |request: &&String| request.contains(&format!("CallSid=CA{call}123"));
        let own: Vec<&String> = taken.iter().filter(of_call).collect();
        // Whether the last failure came before or after the change of mood is open.
        let own = &own[own.len().saturating_sub(6)..];
        assert_eq!(own.len(), 6, "call {call}");
        for (n, request) in own.iter().enumerate() {
            assert!(request.ends_with(&format!("SequenceNumber={n}")), "{request}");
        }
    }
    guard.stop();
    assert_eq!(queued(folder.path()), 0);
}

#[test]
fn partial_results_are_never_queued_and_no_disk_is_no_harm() {
    let (backend, _works) = moody();
    let folder = tempfile::tempdir().unwrap();
    let guard = Guard::with(with(backend.address, Callbacks::Redeliver, Some(folder.path())));
    let form = format!("{CALL}&UnstableSpeechResult=one+two");
    assert_eq!(tell(guard.address, &post("/status", &form)).status(), 204);
    guard.stop();
    assert_eq!(queued(folder.path()), 0);
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let guard = Guard::with(with(backend.address, Callbacks::Redeliver, Some(&file)));
    assert_eq!(tell(guard.address, &post("/status", CALL)).status(), 204);
}

#[test]
fn kill_9_after_the_204_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guard.toml");
    let state = folder.path().join("state");
    let start = |backend: std::net::SocketAddr| {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nupstream = \"http://{backend}\"\nstate_dir = {state:?}\ncallbacks = \"redeliver\"\n[ops]\nlisten = \"off\"\n[log]\nformat = \"json\"\n[[route]]\npath = \"/status\"\nslot = \"callback\"\n"
        );
        std::fs::write(&file, text).unwrap();
        Running::start(&["--config", file.to_str().unwrap()])
    };
    let mut guard = start(nobody());
    let address = guard.address();
    for n in 0..3 {
        let got = tell(address, &post("/status", &format!("{CALL}&SequenceNumber={n}")));
        assert_eq!(got.status(), 204, "{}", got.head);
    }
    guard.signal("KILL");
    guard.end();
    let backend = Backend::always(answer("200 OK", "", ""));
    let mut guard = start(backend.address);
    guard.address();
    eventually("all are redelivered", || backend.requests().len() == 3);
    for (n, request) in backend.requests().iter().enumerate() {
        assert!(request.ends_with(&format!("SequenceNumber={n}")), "{request}");
    }
    // Erased before the end, as kill -9 asks nobody.
    eventually("nothing of them is left", || {
        let bytes = std::fs::read(state.join("callbacks.db")).unwrap();
        memchr::memmem::find(&bytes, b"SequenceNumber").is_none()
    });
    guard.signal("KILL");
    guard.end();
    assert_eq!(queued(&state), 0);
}

/// Callbacks on disk, of a guard that has ended.
fn queued(folder: &Path) -> i64 {
    let db = rusqlite::Connection::open(folder.join("callbacks.db")).unwrap();
    db.query_row("SELECT count(*) FROM callback", [], |row| row.get(0)).unwrap()
}
