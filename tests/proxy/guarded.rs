//! The guarded path from socket to socket.

use std::time::{Duration, Instant};

use crate::support::backend::{Backend, answer, twiml};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::{Guard, config, route};
use twiml_guard::config::alias::Alias;

#[test]
fn a_good_answer_leaves_as_it_came() {
    let body = "<Response><Say>hi</Say></Response>";
    let backend = Backend::always(format!(
        "HTTP/1.1 200 Very Well\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: legacy/1.0\r\ncontent-TYPE: text/xml\r\nSet-Cookie: a=1\r\nX-Own: 1\r\nSet-Cookie: b=2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &body[..4],
        body.len() - 4,
        &body[4..]
    ));
    let guard = Guard::before(backend.address);
    let got = ask(guard.address, post("/voice", CALL));
    assert_eq!(
        got.head,
        format!(
            "HTTP/1.1 200 Very Well\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: legacy/1.0\r\ncontent-TYPE: text/xml\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Own: 1\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
    );
    assert_eq!(got.text(), body);
}

#[test]
fn a_page_becomes_a_fallback_that_says_where_to_look() {
    let backend = Backend::always(answer(
        "500 INTERNAL SERVER ERROR",
        "Content-Type: text/html\r\nSet-Cookie: s=1\r\nETag: \"x\"\r\n",
        "<html><body>OperationalError</body></html>",
    ));
    let guard = Guard::before(backend.address);
    let got = ask(guard.address, post("/voice", CALL));
    assert!(got.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", got.head);
    assert_eq!(got.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(got.header("set-cookie"), Some("s=1"));
    assert_eq!(got.header("etag"), None);
    assert!(got.text().contains("<Say"), "{}", got.text());
    assert_eq!(got.header("twiml-guard-incident").map(str::len), Some(36));
    let status = got.header("proxy-status").unwrap();
    assert!(
        status
            .starts_with("twiml-guard; error=http_protocol_error; received-status=500; details=\""),
        "{status}"
    );
}

#[test]
fn a_route_guards_every_request_on_it() {
    let backend = Backend::always(answer("200 OK", "Content-Type: text/html\r\n", "<html></html>"));
    let mut config = config(backend.address);
    route(&mut config, "/voice", "auto", |_| {});
    let guard = Guard::with(config);
    assert!(ask(guard.address, get("/voice")).text().contains("<Response>"));
    assert!(ask(guard.address, post("/voice", "")).text().contains("<Response>"));
    assert_eq!(ask(guard.address, get("/other")).text(), "<html></html>");
    let summary = guard.stop();
    assert_eq!((summary.answers, summary.replaced, summary.passed), (2, 2, 1));
}

#[test]
fn observe_mode_shows_the_original_and_asks_once() {
    let page = answer("405 Nope", "Content-Type: text/html\r\nAllow: GET\r\n", "<html></html>");
    let backend = Backend::always(page);
    let mut config = config(backend.address);
    route(&mut config, "/voice", "voice", |policy| policy.observe = true);
    let guard = Guard::with(config);
    let got = ask(guard.address, post("/voice", CALL));
    assert_eq!((got.status(), got.text().as_str()), (405, "<html></html>"));
    assert!(got.head.starts_with("HTTP/1.1 405 Nope\r\n"));
    assert_eq!(got.header("twiml-guard-incident"), None);
    assert_eq!(got.header("proxy-status"), None);
    assert_eq!(backend.requests().len(), 1);
    let summary = guard.stop();
    assert_eq!((summary.would_have, summary.replaced), (1, 0));
}

#[test]
fn the_other_method_is_tried_at_the_same_backend_with_the_same_headers() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.say(if request.starts_with("GET") {
                twiml("by get")
            } else {
                answer("405 Method Not Allowed", "Allow: GET\r\n", "")
            });
        }
    });
    let guard = Guard::before(backend.address);
    let request = post("/voice?a=1", CALL).replace("\r\nHost", "\r\nX-Twilio-Signature: s\r\nHost");
    assert!(ask(guard.address, request).text().contains("by get"));
    let second = backend.requests().remove(1);
    assert!(second.starts_with("GET /voice?a=1&CallSid=CA0123"), "{second}");
    assert!(second.contains("\r\nHost: pbx.example.com\r\n"));
    assert!(second.contains("\r\nX-Twilio-Signature: s\r\n"));
    assert!(!second.to_ascii_lowercase().contains("\ncontent-"), "{second}");
    assert_eq!(backend.connections(), 2, "a further request takes a connection of its own");
}

#[test]
fn a_redirect_of_the_same_origin_is_followed_with_the_form() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.say(if request.starts_with("POST /voice ") {
                answer("308 Permanent Redirect", "Location: http://pbx.example.com/voice/\r\n", "")
            } else {
                twiml("there")
            });
        }
    });
    let guard = Guard::before(backend.address);
    assert!(ask(guard.address, post("/voice", CALL)).text().contains("there"));
    let second = backend.requests().remove(1);
    assert!(second.starts_with("POST /voice/ HTTP/1.1\r\n"), "{second}");
    assert!(second.ends_with(CALL));
}

#[test]
fn a_dripping_answer_is_beaten_by_the_budget() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection
            .say("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<");
        for _ in 0..60 {
            connection.rest(50);
            connection.say(" ");
        }
    });
    let guard = Guard::before(backend.address);
    let start = Instant::now();
    let got = ask(guard.address, post("/voice", CALL));
    let took = start.elapsed();
    assert!(got.text().contains("<Say"), "{}", got.text());
    assert!((Duration::from_millis(1400)..Duration::from_millis(2200)).contains(&took), "{took:?}");
}

#[test]
fn a_whole_document_is_delivered_whatever_the_framing_says() {
    let backend = Backend::once(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 900\r\n\r\n<Response><Say>whole</Say></Response>",
    );
    let guard = Guard::before(backend.address);
    let got = ask(guard.address, post("/voice", CALL));
    assert_eq!(got.text(), "<Response><Say>whole</Say></Response>");
}

#[test]
fn a_request_body_over_the_bound_gets_a_fallback_and_goes_nowhere() {
    let backend = Backend::always(twiml("hi"));
    let mut config = config(backend.address);
    route(&mut config, "/voice", "voice", |_| {});
    let guard = Guard::with(config);
    let form = format!("{CALL}&x={}", "a".repeat(300 * 1024));
    let got = ask(guard.address, post("/voice", &form));
    assert_eq!(got.status(), 200);
    assert!(got.text().contains("<Say"), "{}", got.text());
    assert!(backend.requests().is_empty());
}

#[test]
fn an_answer_over_the_bound_gets_a_fallback() {
    let backend = Backend::always(answer("200 OK", "", &"x".repeat(300 * 1024)));
    let guard = Guard::before(backend.address);
    let got = ask(guard.address, post("/voice", CALL));
    assert!(got.text().contains("<Say"), "{}", got.text());
    assert!(got.header("proxy-status").unwrap().contains("error=http_response_body_size"));
}

#[test]
fn a_client_that_shut_its_side_down_still_gets_its_answer() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.rest(200);
        connection.say(twiml("still"));
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(post("/voice", CALL));
    client.socket().shutdown(std::net::Shutdown::Write).unwrap();
    assert!(client.answer().text().contains("still"));
}

#[test]
fn requests_in_one_packet_are_answered_in_their_order() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("POST /one") {
                connection.rest(100);
            }
            connection.say(twiml(request.split(' ').nth(1).unwrap()));
        }
    });
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(post("/one", CALL) + &get("/two") + &post("/three", CALL));
    for own in ["/one", "/two", "/three"] {
        assert!(client.answer().text().contains(own), "{own}");
    }
}

#[test]
fn a_front_end_of_http_1_0_is_served() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::before(backend.address);
    let mut client = Client::to(guard.address);
    client.say(post("/voice", CALL).replace("HTTP/1.1", "HTTP/1.0"));
    let got = client.answer();
    assert!(got.head.starts_with("HTTP/1.0 200 OK\r\n"), "{}", got.head);
    assert_eq!(got.header("content-length"), Some(got.body.len().to_string().as_str()));
    assert_eq!(client.rest(), (Vec::new(), true), "the connection ends with the answer");
}

#[test]
fn head_gets_headers_and_no_body() {
    let backend =
        Backend::always("HTTP/1.1 500 X\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n");
    let mut config = config(backend.address);
    route(&mut config, "/voice", "voice", |_| {});
    let guard = Guard::with(config);
    let mut client = Client::to(guard.address);
    for _ in 0..2 {
        client.say("HEAD /voice HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    }
}

#[test]
fn a_call_is_steered_by_three_fallbacks_and_no_more() {
    use twiml_guard::guard::{Fallback, Fallbacks};
    use twiml_guard::twilio::Slot;

    let backend = Backend::always(answer("500 X", "Content-Type: text/html\r\n", "<html></html>"));
    let mut config = config(backend.address);
    let steering = "<Response><Redirect>https://help.example.net/voice</Redirect></Response>";
    route(&mut config, "/voice", "voice", |policy| {
        policy.fallbacks = std::sync::Arc::new(Fallbacks {
            voice: Fallback::compile("transfer", steering, Slot::Voice).unwrap(),
            ..Fallbacks::built_in()
        });
    });
    let guard = Guard::with(config);
    let other = CALL.replace("CallSid=CA01", "CallSid=CA99");
    let texts: Vec<bool> = [CALL, CALL, CALL, CALL, &other]
        .iter()
        .map(|form| ask(guard.address, post("/voice", form)).text().contains("<Redirect>"))
        .collect();
    assert_eq!(texts, [true, true, true, false, true]);
}

/// A backend that gives TwiML to one request line and refuses all others.
fn only(line: &'static str, refusal: String) -> Backend {
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            let fits = request.starts_with(line);
            connection.say(if fits { twiml("there") } else { refusal.clone() });
        }
    })
}

fn lines(backend: &Backend) -> Vec<String> {
    let first = |request: String| request.split(" HTTP/").next().unwrap_or_default().to_owned();
    backend.requests().into_iter().map(first).collect()
}

#[test]
fn a_doubled_slash_is_collapsed_only_after_it_led_nowhere() {
    let backend = only("POST /webhook/voice?a=//b ", answer("404 Not Found", "", "no"));
    let guard = Guard::before(backend.address);
    let got = ask(guard.address, post("//webhook//voice?a=//b", CALL));
    assert!(got.text().contains("there"), "{}", got.text());
    assert_eq!(lines(&backend), ["POST //webhook//voice?a=//b", "POST /webhook/voice?a=//b"]);
    assert!(backend.requests().remove(1).ends_with(CALL));
    drop(guard);
    let backend = only("POST //webhook//voice ", answer("404 Not Found", "", "no"));
    let guard = Guard::before(backend.address);
    assert!(ask(guard.address, post("//webhook//voice", CALL)).text().contains("there"));
    assert_eq!(lines(&backend), ["POST //webhook//voice"]);
}

#[test]
fn a_redirect_that_only_collapses_the_path_keeps_the_post() {
    let to = "Location: http://pbx.example.com/voice\r\n";
    let backend = only("POST /voice ", answer("301 Moved Permanently", to, ""));
    let guard = Guard::before(backend.address);
    assert!(ask(guard.address, post("//voice", CALL)).text().contains("there"));
    assert_eq!(lines(&backend), ["POST //voice", "POST /voice"]);
}

#[test]
fn a_get_that_was_a_post_is_asked_as_post() {
    let index = "<!doctype html><html><body><div id=\"root\"></div></body></html>";
    for refusal in [
        answer("404 Not Found", "", "no"),
        answer("405 Method Not Allowed", "Allow: POST\r\n", ""),
        answer("200 OK", "Content-Type: text/html\r\n", index),
    ] {
        let backend = only("POST /voice?lang=en ", refusal);
        let guard = Guard::before(backend.address);
        let got = ask(guard.address, get(&format!("/voice?lang=en&{CALL}")));
        assert!(got.text().contains("there"), "{}", got.text());
        let second = backend.requests().remove(1);
        assert!(second.ends_with(CALL), "{second}");
        assert!(second.to_ascii_lowercase().contains("application/x-www-form-urlencoded"));
    }
}

#[test]
fn an_alias_is_asked_under_its_other_path_by_the_route_of_that() {
    let backend = only("POST /webhook/incoming_call?a=1 ", answer("404 Not Found", "", "no"));
    let mut config = config(backend.address);
    route(&mut config, "/webhook/incoming_call", "voice", |_| ());
    let alias = |from: &str, to: &str| Alias { from: from.to_owned(), to: to.to_owned() };
    config.aliases =
        vec![alias("/webhook/voice", "/webhook/incoming_call"), alias("/old/*", "/webhook/*")];
    let guard = Guard::with(config);
    for path in ["/webhook/voice?a=1", "/old/incoming_call?a=1"] {
        let got = ask(guard.address, post(path, ""));
        assert!(got.text().contains("there"), "{}", got.text());
    }
    let all = ["POST /webhook/incoming_call?a=1", "POST /webhook/incoming_call?a=1"];
    assert_eq!(lines(&backend), all);
    let got = ask(guard.address, post("/old/other", CALL));
    assert!(got.header("twiml-guard-incident").is_some());
    assert_eq!(lines(&backend).pop().as_deref(), Some("POST /webhook/other"));
}
