//! A backend that hangs: callers don't wait in silence, and one hung script silences nobody else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use twiml_guard::config::Config;
use twiml_guard::config::upstreams::Patience;

use crate::support::backend::{Backend, answer, twiml};
use crate::support::client::{Answer, CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config, nobody};

const SILENCE: Duration = Duration::from_millis(800);
const SHORT_WAIT: Duration = Duration::from_millis(200);
const BUDGET: Duration = Duration::from_secs(3);

fn impatient(backend: SocketAddr) -> Config {
    let patience = Patience { silence: SILENCE, short_wait: SHORT_WAIT, ..Patience::default() };
    Config { budget: BUDGET, patience, ..config(backend) }
}

/// Answers everything but webhooks on `/hung`, and these too once it does not hang any more.
fn half_hung(hangs: Arc<AtomicBool>) -> Backend {
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("POST /hung") && hangs.load(SeqCst) {
                connection.rest(8_000);
                return;
            }
            connection.say(twiml("hi"));
        }
    })
}

fn hanging() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(true))
}

/// A webhook, and how long its answer took.
fn timed(guard: SocketAddr, path: &str) -> (Answer, Duration) {
    let start = Instant::now();
    let got = ask(guard, post(path, CALL));
    (got, start.elapsed())
}

fn is_fallback(got: &Answer) -> bool {
    got.status() == 200 && got.text().contains("<Say") && !got.text().contains("hi<")
}

fn is_open(guard: &Guard, backend: &Backend) -> bool {
    guard.of_backend("twiml_guard_breaker_open", backend.address) == 1
}

#[test]
fn hung_webhooks_all_get_their_fallback_while_others_are_answered() {
    let backend = half_hung(hanging());
    let guard = Guard::with(impatient(backend.address));
    let address = guard.address;
    let hung: Vec<_> = (0..300).map(|_| thread::spawn(move || timed(address, "/hung"))).collect();
    let mut worst = Duration::ZERO;
    while hung.iter().any(|caller| !caller.is_finished()) {
        let (got, took) = timed(address, "/menu");
        assert!(got.text().contains("hi<"), "{}", got.text());
        assert!(!is_open(&guard, &backend), "the menu is answered all the time");
        worst = worst.max(took);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(worst < Duration::from_secs(1), "{worst:?}");
    for caller in hung {
        let (got, took) = caller.join().unwrap();
        assert!(is_fallback(&got), "{}{}", got.head, got.text());
        assert!(took < BUDGET + Duration::from_secs(1), "{took:?}");
    }
    let inflight = "twiml_guard_upstream_inflight";
    assert_eq!(guard.of_backend(inflight, backend.address), 0);
}

#[test]
fn silence_shortens_the_wait_of_all_but_one_until_the_first_answer() {
    let hangs = hanging();
    let backend = half_hung(Arc::clone(&hangs));
    let guard = Guard::with(impatient(backend.address));
    let address = guard.address;
    let probe = thread::spawn(move || timed(address, "/hung"));
    thread::sleep(SILENCE + Duration::from_millis(100));
    assert!(is_open(&guard, &backend));
    let later: Vec<_> = (0..20).map(|_| thread::spawn(move || timed(address, "/hung"))).collect();
    for caller in later {
        let (got, took) = caller.join().unwrap();
        assert!(is_fallback(&got), "{}", got.text());
        let status = got.header("proxy-status").unwrap_or_default();
        assert!(status.contains("error=http_response_timeout"), "{status}");
        assert!(took >= SHORT_WAIT && took < SILENCE, "{took:?}");
    }
    let (got, took) = probe.join().unwrap();
    assert!(is_fallback(&got) && took + Duration::from_millis(50) >= BUDGET, "{took:?}");
    assert!(is_open(&guard, &backend));
    hangs.store(false, SeqCst);
    assert!(timed(address, "/hung").0.text().contains("hi<"));
    assert!(!is_open(&guard, &backend));
    hangs.store(true, SeqCst);
    let (got, took) = timed(address, "/hung");
    assert!(is_fallback(&got) && took > SILENCE, "{took:?}");
}

#[test]
fn a_slow_backend_is_found_again_by_the_one_that_keeps_its_time() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.rest(1_500);
            connection.say(twiml("late"));
        }
    });
    let guard = Guard::with(impatient(backend.address));
    let address = guard.address;
    let first = thread::spawn(move || timed(address, "/a"));
    thread::sleep(SILENCE + Duration::from_millis(100));
    assert!(is_open(&guard, &backend));
    assert!(is_fallback(&timed(address, "/b").0));
    assert!(first.join().unwrap().0.text().contains("late"));
    assert!(!is_open(&guard, &backend));
}

#[test]
fn failures_that_come_at_once_never_open_it() {
    let resets = Backend::start(|connection| {
        connection.request();
        connection.reset();
    });
    for (address, name) in [(nobody(), "refused"), (resets.address, "reset")] {
        let guard = Guard::with(impatient(address));
        let (to, start) = (guard.address, Instant::now());
        let callers: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(move || {
                    while start.elapsed() < SILENCE * 2 {
                        let (got, took) = timed(to, "/voice");
                        assert!(is_fallback(&got), "{}", got.text());
                        assert!(took < SILENCE, "{took:?}");
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        assert_eq!(guard.of_backend("twiml_guard_breaker_open", address), 0, "{name}");
    }
}

#[test]
fn passed_answers_keep_it_closed() {
    let backend = half_hung(hanging());
    let guard = Guard::with(impatient(backend.address));
    let address = guard.address;
    let hung = thread::spawn(move || timed(address, "/hung"));
    while !hung.is_finished() {
        assert_eq!(ask(address, get("/page")).status(), 200);
        assert!(!is_open(&guard, &backend));
        thread::sleep(Duration::from_millis(50));
    }
    assert!(is_fallback(&hung.join().unwrap().0));
}

#[test]
fn observe_mode_cuts_nobody_short() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.rest(1_500);
            connection.say(twiml("late"));
        }
    });
    let mut config = impatient(backend.address);
    let mut route = (*config.default_route).clone();
    let mut policy = (**route.policy.configured()).clone();
    policy.observe = true;
    route.policy = twiml_guard::config::route::Policies::new(policy);
    config.default_route = Arc::new(route);
    let guard = Guard::with(config);
    let address = guard.address;
    let callers: Vec<_> = (0..10)
        .map(|n| {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(100 * n));
                timed(address, "/voice").0.text().contains("late")
            })
        })
        .collect();
    assert!(callers.into_iter().all(|caller| caller.join().unwrap()));
}

#[test]
fn what_finds_no_place_gets_its_fallback_and_pages_need_none() {
    let backend = half_hung(hanging());
    let guard = Guard::with(Config {
        max_webhooks: 2,
        patience: Patience::default(),
        ..impatient(backend.address)
    });
    let address = guard.address;
    let mut held: Vec<_> = (0..2).map(|_| Client::to(address)).collect();
    for client in &mut held {
        client.say(post("/hung", CALL));
    }
    thread::sleep(Duration::from_millis(200));
    let inflight = "twiml_guard_upstream_inflight";
    assert_eq!(guard.of_backend(inflight, backend.address), 2);
    let (got, took) = timed(address, "/menu");
    assert!(is_fallback(&got), "{}", got.text());
    let status = got.header("proxy-status").unwrap_or_default();
    assert!(status.contains("error=proxy_internal_error"), "{status}");
    assert!((Duration::from_millis(900)..Duration::from_millis(1_900)).contains(&took), "{took:?}");
    assert_eq!(ask(address, get("/page")).status(), 200);
    for mut client in held {
        assert!(is_fallback(&client.answer()));
    }
    let (got, _) = timed(address, "/menu");
    assert!(got.text().contains("hi<"), "{}", got.text());
    assert_eq!(guard.of_backend(inflight, backend.address), 0);
}

#[test]
fn an_answer_of_any_status_is_one() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("POST /hung") {
                connection.rest(8_000);
                return;
            }
            connection.say(answer("503 Service Unavailable", "", ""));
        }
    });
    let guard = Guard::with(impatient(backend.address));
    let address = guard.address;
    let hung = thread::spawn(move || timed(address, "/hung"));
    while !hung.is_finished() {
        assert!(is_fallback(&timed(address, "/voice").0));
        assert!(!is_open(&guard, &backend));
        thread::sleep(Duration::from_millis(50));
    }
}
