//! The switch between observe and enforce, while requests run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Site, broken, parsed, request};
use crate::support::backend::{Backend, answer};
use crate::support::client::{CALL, Client, ask, post};
use crate::support::guard::route;

const ORIGINAL: &str = "<h1>Internal Server Error</h1>";

#[test]
fn a_switch_holds_for_the_next_request() {
    let backend = broken();
    let site = Site::with(backend.address, |config| route(config, "/voice", "voice", |_| {}));
    let delivered = || {
        let answer = site.call("/voice");
        (answer.status(), answer.text().contains(ORIGINAL))
    };
    assert_eq!(delivered(), (200, false));
    let told = parsed(&site.put("{\"mode\": \"observe\"}"));
    assert_eq!(told["routes"][0]["route"], "/voice");
    assert_eq!(told["routes"][0]["configured"], "enforce");
    assert_eq!(told["routes"][0]["current"], "observe");
    assert_eq!(told["routes"][1]["route"], "*");
    assert_eq!(delivered(), (500, true));
    assert_eq!(site.metric("twiml_guard_observe{route=\"/voice\"}").as_deref(), Some("1"));
    assert_eq!(site.put("{\"mode\": \"reset\"}").status(), 200);
    assert_eq!(delivered(), (200, false));
    assert_eq!(site.metric("twiml_guard_observe{route=\"/voice\"}").as_deref(), Some("0"));
    let incidents = site.incidents(3);
    let observed: Vec<_> = incidents.iter().map(|one| one["observe"].clone()).collect();
    assert_eq!(observed, [false, true, false]);
}

#[test]
fn one_route_is_switched_alone_and_back_to_its_own_configuration() {
    let backend = broken();
    let site = Site::with(backend.address, |config| {
        route(config, "/a", "voice", |policy| policy.observe = true);
        route(config, "/b", "voice", |_| {});
    });
    let modes = || {
        let told = site.json("/api/mode");
        let routes = told["routes"].as_array().unwrap().clone();
        let shown = |one: &serde_json::Value| {
            format!("{} {}", one["route"].as_str().unwrap(), one["current"].as_str().unwrap())
        };
        routes.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(modes(), ["/a observe", "/b enforce", "* enforce"]);
    let told = parsed(&site.put("{\"mode\": \"enforce\", \"route\": \"/a\"}"));
    assert_eq!(told["routes"].as_array().unwrap().len(), 1);
    assert_eq!(modes(), ["/a enforce", "/b enforce", "* enforce"]);
    assert_eq!(site.call("/a").status(), 200);
    site.put("{\"mode\": \"observe\", \"route\": \"*\"}");
    assert_eq!(modes(), ["/a enforce", "/b enforce", "* observe"]);
    site.put("{\"mode\": \"reset\"}");
    assert_eq!(modes(), ["/a observe", "/b enforce", "* enforce"]);
    assert_eq!(site.call("/a").status(), 500);
}

#[test]
fn requests_that_run_meanwhile_are_whole_in_one_mode_or_the_other() {
    let backend = broken();
    let site = Site::with(backend.address, |config| route(config, "/voice", "voice", |_| {}));
    let (public, stop) = (site.public, AtomicBool::new(false));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::to(public);
                    let (mut enforced, mut observed) = (0, 0);
                    while !stop.load(Ordering::Relaxed) {
                        client.say(post("/voice", CALL));
                        let answer = client.answer();
                        match answer.status() {
                            200 => {
                                assert!(answer.text().contains("<Response>"), "{answer:?}");
                                assert!(answer.header("twiml-guard-incident").is_some());
                                enforced += 1;
                            }
                            500 => {
                                assert_eq!(answer.text(), ORIGINAL);
                                assert!(answer.header("twiml-guard-incident").is_none());
                                observed += 1;
                            }
                            _ => panic!("{answer:?}"),
                        }
                    }
                    (enforced, observed)
                })
            })
            .collect();
        for n in 0..20 {
            let mode = if n % 2 == 0 { "observe" } else { "enforce" };
            assert_eq!(site.put(&format!("{{\"mode\": \"{mode}\"}}")).status(), 200);
            let expected = if n % 2 == 0 { 500 } else { 200 };
            assert_eq!(site.call("/voice").status(), expected, "{mode}");
            thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            let (enforced, observed) = caller.join().unwrap();
            assert!(enforced > 0 && observed > 0, "{enforced} {observed}");
        }
    });
}

#[test]
fn a_request_under_way_keeps_the_mode_that_it_began_with() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.rest(600);
            connection.say(answer("500 Oops", "Content-Type: text/html\r\n", ORIGINAL));
        }
    });
    let site = Site::with(backend.address, |config| route(config, "/voice", "voice", |_| {}));
    let mut client = Client::to(site.public);
    client.say(post("/voice", CALL));
    let begun = std::time::Instant::now();
    while backend.requests().is_empty() {
        assert!(begun.elapsed() < super::PATIENCE, "the backend was not asked");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(site.put("{\"mode\": \"observe\"}").status(), 200);
    assert_eq!(client.answer().status(), 200);
    assert_eq!(site.call("/voice").status(), 500);
}

#[test]
fn observing_sends_no_second_request() {
    let backend = Backend::always(answer("405 Method Not Allowed", "Allow: GET\r\n", "no"));
    let site = Site::with(backend.address, |config| route(config, "/voice", "voice", |_| {}));
    site.call("/voice");
    assert_eq!(backend.requests().len(), 2);
    site.put("{\"mode\": \"observe\"}");
    assert_eq!(site.call("/voice").status(), 405);
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn what_can_not_be_switched_is_told() {
    let backend = broken();
    let site = Site::with(backend.address, |config| {
        route(config, "/voice", "voice", |_| {});
        route(config, "/media", "stream", |_| {});
    });
    let put = |json: &str| {
        let answer = site.put(json);
        (answer.status(), parsed(&answer))
    };
    let (status, told) = put("{\"mode\": \"observe\", \"route\": \"/voise\"}");
    assert_eq!(status, 404);
    assert_eq!(told["known"], serde_json::json!(["/voice", "*"]));
    assert!(told["error"].as_str().unwrap().contains("found `/voise`"));
    assert_eq!(put("{\"mode\": \"observe\", \"route\": \"/media\"}").0, 404);
    for json in [
        "",
        "{}",
        "[]",
        "{\"mode\": \"off\"}",
        "{\"mode\": \"observe\", \"rout\": \"*\"}",
        "{\"mode\": 1}",
    ] {
        assert_eq!(put(json).0, 400, "{json}");
    }
    let long = format!("{{\"mode\": \"observe\", \"route\": \"{}\"}}", "x".repeat(5000));
    assert_eq!(put(&long).0, 400);
    for kind in
        ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n"]
    {
        let more = format!("{kind}Content-Length: 20\r\n");
        let put = request("PUT", "/api/mode", &more) + "{\"mode\": \"observe\"} ";
        assert_eq!(ask(site.admin, put).status(), 415, "{kind}");
    }
    // Nor is anything switched without the token, or for a page of another origin.
    let body = "{\"mode\": \"observe\"}";
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let nobody = format!("PUT /api/mode HTTP/1.1\r\nHost: localhost\r\n{head}\r\n{body}");
    assert_eq!(ask(site.admin, nobody).status(), 401);
    let page = request("PUT", "/api/mode", &format!("Origin: http://evil.example\r\n{head}"));
    assert_eq!(ask(site.admin, page + body).status(), 403);
    assert_eq!(site.json("/api/mode")["routes"][0]["current"], "enforce");
}
