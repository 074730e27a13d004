use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::guard::call::{Authenticity, Belief};
use crate::guard::{Answer, BodyEnd, Oddities, Outcome, RequestFacts, judge};

const CONNECT: &str = "<Response><Connect action=\"/ended\"><Stream url=\"wss://pbx.example.com/ws\" \
    statusCallback=\"/status\"/></Connect></Response>";

fn call(sid: &str, status: &str) -> Params {
    Params::from_form(format!("CallSid={sid}&AccountSid=AC01&CallStatus={status}").as_bytes())
}

fn exchange(params: Params, body: &'static str, signature: Authenticity) -> Exchange {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", http::HeaderValue::from_static("text/xml"));
    Exchange {
        slot: Slot::Voice,
        request: Arc::new(RequestFacts {
            method: Method::POST,
            target: "/voice?x=1".to_owned(),
            host: Some("pbx.example.com".to_owned()),
            has_authorization: false,
            params,
            body: Bytes::new(),
        }),
        attempts: Vec::new(),
        outcome: Outcome::Answered(Answer {
            status: StatusCode::OK,
            headers,
            body: Bytes::from_static(body.as_bytes()),
            end: BodyEnd::Complete,
            odd: Oddities::default(),
        }),
        elapsed: Duration::from_millis(9),
        call: CallFacts { signature, ..CallFacts::default() },
    }
}

/// Lets a call be answered with this.
fn answered(calls: &Calls, sid: &str, body: &'static str, signature: Authenticity) {
    let exchange = exchange(call(sid, "ringing"), body, signature);
    let policy = Policy::default();
    calls.learn(&exchange, &judge(&exchange, &policy), &policy);
}

fn decided(calls: &Calls, path: &str, params: &Params) -> Option<(Slot, Belief)> {
    let question = Question { method: "POST", path, params, is_route: false, fixed: None };
    calls.decide(&question, Instant::now()).map(|(slot, role)| (slot, role.belief))
}

#[test]
fn a_document_tells_its_own_call_and_all_others() {
    let calls = Calls::default();
    let ended = call("CA01", "in-progress");
    assert_eq!(decided(&calls, "/ended", &ended), Some((Slot::Voice, Belief::Inferred)));
    answered(&calls, "CA01", CONNECT, Authenticity::Unchecked);
    assert_eq!(decided(&calls, "/ended", &ended), Some((Slot::Action, Belief::ThisCall)));
    let other = call("CA02", "in-progress");
    assert_eq!(decided(&calls, "/ended", &other), Some((Slot::Action, Belief::Learnt)));
    let report = Params::from_form(b"CallSid=CA02&x=1");
    assert_eq!(decided(&calls, "/status", &report), Some((Slot::Callback, Belief::Learnt)));
    assert_eq!(decided(&calls, "/voice", &other), Some((Slot::Voice, Belief::Learnt)));
    assert_eq!(decided(&calls, "/strange", &report), None);
    assert!(calls.is_stream("/ws") && !calls.is_stream("/ended") && !calls.is_stream("/x"));
    assert_eq!(*calls.known_routes(), ["POST /voice (voice)"]);
    assert_eq!(calls.awaiting_stream("/ws").as_deref(), Some("CA01"));
}

#[test]
fn the_child_of_a_call_is_told_by_its_parent() {
    let calls = Calls::default();
    let dial = "<Response><Dial><Number url=\"/whisper\">+15550100001</Number></Dial></Response>";
    answered(&calls, "CA01", dial, Authenticity::Unchecked);
    let form = b"CallSid=CA09&ParentCallSid=CA01&AccountSid=AC01&CallStatus=in-progress";
    let child = Params::from_form(form);
    assert_eq!(decided(&calls, "/whisper", &child), Some((Slot::Whisper, Belief::ThisCall)));
}

#[test]
fn nothing_is_learnt_from_what_twilio_did_not_ask_or_does_not_take() {
    let calls = Calls::default();
    answered(&calls, "CA01", CONNECT, Authenticity::Forged);
    answered(&calls, "CA01", CONNECT, Authenticity::Unsigned);
    answered(
        &calls,
        "CA01",
        "<html><a href=\"/ended\">action=/ended</a></html>",
        Authenticity::Unchecked,
    );
    answered(&calls, "CA01", "Redirect: /ended", Authenticity::Unchecked);
    let ended = call("CA01", "in-progress");
    assert_eq!(decided(&calls, "/ended", &ended), Some((Slot::Voice, Belief::Inferred)));
    assert!(calls.known_routes().is_empty());
    let genuine = Authenticity::Genuine { url: "https://pbx.example.com/voice".to_owned() };
    answered(&calls, "CA01", CONNECT, genuine);
    assert_eq!(decided(&calls, "/ended", &ended), Some((Slot::Action, Belief::ThisCall)));
}

#[test]
fn a_stream_goes_from_awaited_to_over() {
    let calls = Calls::default();
    let params = call("CA01", "in-progress");
    let stream = || calls.facts(&params, Role::default(), Instant::now()).stream;
    assert_eq!(stream(), StreamState::None);
    answered(&calls, "CA01", CONNECT, Authenticity::Unchecked);
    assert!(matches!(stream(), StreamState::NeverOpened { .. }));
    calls.stream_opened("CA01", "/ws");
    assert_eq!(stream(), StreamState::Open);
    let report = StreamReport { path: "/ws".to_owned(), ..StreamReport::default() };
    calls.stream_over("CA01", &report);
    assert_eq!(stream(), StreamState::Over(Box::new(report)));
}

#[test]
fn many_threads_lose_nothing() {
    let calls = Arc::new(Calls::default());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let calls = Arc::clone(&calls);
            std::thread::spawn(move || {
                for n in 0..500 {
                    let sid = format!("CA{thread}x{n}");
                    answered(&calls, &sid, CONNECT, Authenticity::Unchecked);
                    let params = call(&sid, "in-progress");
                    let slot = decided(&calls, "/ended", &params).map(|(slot, _)| slot);
                    assert_eq!(slot, Some(Slot::Action));
                    calls.stream_opened(&sid, "/ws");
                    let stream = calls.facts(&params, Role::default(), Instant::now()).stream;
                    assert_eq!(stream, StreamState::Open);
                    assert!(calls.known_routes().len() == 1 && calls.is_stream("/ws"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let roles = lock(&calls.roles).snapshot().all();
    let times: u64 = roles.iter().map(|(_, seen)| seen.times).sum();
    // The document's own URL and the three that it hands out.
    assert_eq!((roles.len(), times), (4, 4 * 4 * 500));
}

/// How long requests of new calls take at best, where so many URLs and calls are known already.
fn time_beside(known: usize) -> Duration {
    let calls = Calls::default();
    for n in 0..known {
        let key = key::key("POST", &format!("/known/{n}/menu")).unwrap();
        lock(&calls.roles).learn(&key, Slot::Action, None, now_ms());
        calls.note(&format!("CA{n}"), Noted::sample("untouched", "x"));
    }
    let handed = [Handed {
        method: "POST",
        path: "/menu".to_owned(),
        url: "https://pbx.example.com/menu".to_owned(),
        slot: Slot::Action,
        place: HandedOut {
            element: "Gather".to_owned(),
            attribute: Some("action".to_owned()),
            parent: "POST /voice".to_owned(),
        },
        holds_call: false,
    }];
    let rounds = (0..8).map(|round| {
        let asked: Vec<_> = (0..50).map(|n| call(&format!("CA{round}y{n}"), "ringing")).collect();
        let start = Instant::now();
        for params in &asked {
            let question =
                Question { method: "POST", path: "/voice", params, is_route: true, fixed: None };
            let (_, role) = calls.decide(&question, Instant::now()).unwrap();
            calls.facts(params, role, Instant::now());
            let ways = calls.learn_roles("POST /voice", Slot::Voice, &handed);
            let sid = sid(params).unwrap();
            lock(&calls.voice).hand_out(sid, ways, calls.now());
            calls.note(sid, Noted::sample("untouched", "x"));
        }
        start.elapsed()
    });
    rounds.min().unwrap()
}

#[test]
fn what_is_known_costs_no_request_more() {
    let (few, many) = (time_beside(10), time_beside(10_000));
    // A thousand times as much is known; caches miss, and a call that comes sends another one off.
    assert!(many < few * 10, "{few:?} beside 10, {many:?} beside 10,000");
}
