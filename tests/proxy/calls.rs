//! What one answer tells of the next request of its call.

use crate::support::backend::{Backend, answer};
use crate::support::client::{CALL, Client, ask, post};

use crate::support::guard::Guard;

const CONNECT: &str = "<Response><Connect action=\"/webhook/stream_ended\">\
    <Stream url=\"wss://pbx.example.com/ws\"/></Connect></Response>";

/// Answers `/voice` with a stream, `/status` with 200 or 500, everything else with 204.
fn backend(status: &'static str) -> Backend {
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            connection.say(match request.split(' ').nth(1) {
                Some("/voice") => answer("200 OK", "Content-Type: text/xml\r\n", CONNECT),
                Some("/status") => answer(
                    status,
                    "Content-Type: text/x-own\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                    "noted",
                ),
                _ => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            });
        }
    })
}

/// The head of an answer that may have no body.
fn head(guard: &Guard, request: &str) -> String {
    let mut client = Client::to(guard.address);
    client.say(request);
    client.head()
}

#[test]
fn an_empty_action_ends_in_peace_only_after_the_call() {
    let guard = Guard::before(backend("200 OK").address);
    let ended = |status: &str| {
        let form = CALL.replace("ringing", status);
        ask(guard.address, post("/webhook/stream_ended", &form)).text()
    };
    // Without its document it looks like any voice request, but for one that is over.
    assert!(ended("completed").contains("<Response/>"));
    assert!(ended("in-progress").contains("<Say"));
    assert_eq!(ask(guard.address, post("/voice", CALL)).text(), CONNECT);
    assert!(!ended("completed").contains("<Say"));
    assert!(ended("completed").contains("<Response/>"));
    assert!(ended("in-progress").contains("<Say"));
}

/// A number's status callback has no mark but how long the call took.
#[test]
fn the_report_of_a_call_that_ended_passes_as_it_is() {
    let guard = Guard::before(backend("500 Internal Server Error").address);
    for end in ["completed&CallDuration=9&Duration=1", "no-answer", "busy"] {
        let form = CALL.replace("ringing", end);
        let got = head(&guard, &post("/gone", &form));
        let is_unchanged = !got.to_ascii_lowercase().contains("twiml-guard-incident");
        assert!(got.starts_with("HTTP/1.1 204 ") && is_unchanged, "{end}: {got}");
        let got = head(&guard, &post("/status", &form));
        assert!(got.starts_with("HTTP/1.1 204 "), "{end}: {got}");
    }
}

#[test]
fn a_callback_without_a_route_passes_as_it_is() {
    let guard = Guard::before(backend("200 OK").address);
    let form = format!("{CALL}&CallbackSource=call-progress-events&SequenceNumber=0");
    let got = ask(guard.address, post("/status", &form));
    let expected = "HTTP/1.1 200 OK\r\nContent-Type: text/x-own\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\r\n";
    assert_eq!((got.head.as_str(), got.text().as_str()), (expected, "noted"));
    assert!(head(&guard, &post("/gone", &form)).starts_with("HTTP/1.1 204 No Content"));
}

#[test]
fn a_callback_that_failed_is_acknowledged() {
    let guard = Guard::before(backend("500 Oops").address);
    let form = "CallSid=CA01&AccountSid=AC01&StreamEvent=stream-stopped&StreamSid=MZ01";
    let got = head(&guard, &post("/status", form));
    assert!(got.starts_with("HTTP/1.1 204 No Content"), "{got}");
    // What is not Twilio's is nobody's to acknowledge.
    let got = ask(guard.address, post("/status", "StreamEvent=stream-stopped"));
    assert!(got.head.starts_with("HTTP/1.1 500 Oops"), "{}", got.head);
}
