//! Server-sent events: live, filtered, resumed, bounded.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, Site, broken, parsed, request};
use crate::support::client::Client;
use crate::support::guard::route;

/// A client that follows along.
struct Tail(Client);

impl Tail {
    fn open(site: &Site, query: &str, more: &str) -> Self {
        let mut client = Client::to(site.admin);
        client.socket().set_read_timeout(Some(PATIENCE)).unwrap();
        client.say(request("GET", &format!("/api/tail{query}"), more));
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
        let mut tail = Self(client);
        assert_eq!(tail.block(), ["retry: 2000"]);
        tail
    }

    /// The lines of the next block; the chunks that it comes in left out.
    fn block(&mut self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let line = self.0.line();
            let line = line.trim_end_matches("\r\n");
            match line.strip_suffix('\n') {
                Some("") if !lines.is_empty() => return lines,
                Some(text) if !text.is_empty() => lines.push(text.to_owned()),
                _ => {}
            }
        }
    }

    /// The next event's id and incident.
    fn next(&mut self) -> (String, Value) {
        let block = self.block();
        let field = |name: &str| {
            let line = block.iter().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{block:?}")).to_owned()
        };
        assert_eq!(field("event: "), "incident");
        (field("id: "), serde_json::from_str(&field("data: ")).unwrap())
    }
}

#[test]
fn incidents_come_as_they_are_recorded() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/before");
    site.incidents(1);
    let mut tail = Tail::open(&site, "", "");
    site.call("/live");
    let (id, incident) = tail.next();
    assert_eq!(incident["path"], "/live");
    assert_eq!(incident["id"], id.as_str());
    assert_eq!(site.incidents(2)[0]["id"], id.as_str());
}

#[test]
fn a_filter_holds_for_events_too() {
    let backend = broken();
    let site = Site::with(backend.address, |config| {
        route(config, "/a", "voice", |_| {});
        route(config, "/b", "voice", |_| {});
    });
    site.call("/a");
    site.incidents(1);
    let mut tail = Tail::open(&site, "?route=/b", "");
    site.call("/a");
    site.call("/b");
    assert_eq!(tail.next().1["route"], "/b");
}

#[test]
fn a_client_that_comes_back_misses_nothing() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/0");
    site.incidents(1);
    let mut tail = Tail::open(&site, "", "");
    site.call("/1");
    let (seen, _) = tail.next();
    drop(tail);
    for path in ["/2", "/3", "/4"] {
        site.call(path);
    }
    site.incidents(5);
    let mut tail = Tail::open(&site, "", &format!("Last-Event-ID: {seen}\r\n"));
    let paths: Vec<_> = (0..3).map(|_| tail.next().1["path"].clone()).collect();
    assert_eq!(paths, ["/2", "/3", "/4"]);
    site.call("/5");
    assert_eq!(tail.next().1["path"], "/5");
    // What is not kept any more came before everything that is.
    let gone = "Last-Event-ID: 01000000-0000-7000-8000-000000000000\r\n";
    assert_eq!(Tail::open(&site, "", gone).next().1["path"], "/0");
}

#[test]
fn more_than_one_batch_comes_whole_and_in_order() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/first");
    let first = site.incidents(1)[0]["id"].as_str().unwrap().to_owned();
    let mut client = Client::to(site.public);
    for n in 0..450 {
        client.say(crate::support::client::post(&format!("/{n}"), crate::support::client::CALL));
        client.answer();
    }
    site.incidents(451);
    let mut tail = Tail::open(&site, "", &format!("Last-Event-ID: {first}\r\n"));
    for n in 0..450 {
        assert_eq!(tail.next().1["path"], format!("/{n}"));
    }
}

#[test]
fn odd_questions_are_refused() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/x");
    site.incidents(1);
    let mut client = Client::to(site.admin);
    client.say(request("HEAD", "/api/tail", ""));
    assert!(client.head().starts_with("HTTP/1.1 200"));
    assert_eq!(super::on(&mut client, &request("GET", "/api/mode", "")).status(), 200);
    assert_eq!(site.get("/api/tail?limit=5").status(), 400);
    assert_eq!(site.get("/api/tail?since=1h").status(), 400);
    let odd = crate::support::client::ask(
        site.admin,
        request("GET", "/api/tail", "Last-Event-ID: yesterday\r\n"),
    );
    assert_eq!(odd.status(), 400);
    assert_eq!(parsed(&odd)["parameter"], "Last-Event-ID");
}

#[test]
fn clients_are_bounded_and_make_room_when_they_leave() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/x");
    site.incidents(1);
    let tails: Vec<_> = (0..16).map(|_| Tail::open(&site, "", "")).collect();
    let refused = site.get("/api/tail");
    assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("5")));
    assert_eq!(site.get("/api/mode").status(), 200);
    drop(tails);
    let begun = Instant::now();
    loop {
        let mut client = Client::to(site.admin);
        client.say(request("GET", "/api/tail", ""));
        if client.head().starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody made room");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_store_that_is_replaced_is_followed() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/old");
    site.incidents(1);
    let mut tail = Tail::open(&site, "", "");
    let state = site.state.path().join("state");
    for file in ["incidents.db", "incidents.db-wal", "incidents.db-shm"] {
        let _ = std::fs::remove_file(state.join(file));
    }
    // What comes before its absence is noticed is gone with the old one.
    let begun = Instant::now();
    while !state.join("incidents.db").exists() {
        assert!(begun.elapsed() < PATIENCE, "no new store was made");
        std::thread::sleep(Duration::from_millis(20));
    }
    site.call("/new");
    assert_eq!(tail.next().1["path"], "/new");
}

#[test]
fn a_stop_does_not_wait_for_those_who_follow() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/x");
    site.incidents(1);
    let tail = Tail::open(&site, "", "");
    let begun = Instant::now();
    drop(site);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(tail);
}

#[test]
fn silence_is_broken_by_a_sign_of_life() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/x");
    site.incidents(1);
    let begun = Instant::now();
    let mut tail = Tail::open(&site, "", "");
    assert_eq!(tail.block(), [": still here"]);
    assert!((13..18).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
