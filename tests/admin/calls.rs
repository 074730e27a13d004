//! `/api/calls/SID`: one call, from the store and from what the guard remembers.

use std::sync::Arc;
use std::time::Instant;

use http::Method;
use serde_json::Value;
use twiml_guard::guard::call::Belief;
use twiml_guard::incidents::noted::{Noted, Told};
use twiml_guard::incidents::timeline::Step;
use twiml_guard::twilio::Slot;

use super::{PATIENCE, Site, broken, parsed};
use crate::support::guard::nobody;

/// As in [`CALL`](crate::support::client::CALL).
const SID: &str = "CA0123456789abcdef0123456789abcdef";

fn step(time_ms: u64, path: &str) -> Step {
    serde_json::from_value(serde_json::json!({
        "time_ms": time_ms, "duration_ms": 3, "method": "POST", "path": path, "slot": "voice",
        "belief": "this-call", "status": "in-progress", "answered": 200, "outcome": "untouched",
        "told": "the original",
    }))
    .unwrap()
}

fn noted(time_ms: u64, path: &str) -> Noted {
    Noted {
        time_ms,
        duration_ms: 3,
        method: Method::POST,
        path: path.into(),
        slot: Slot::Voice,
        belief: Belief::ThisCall,
        role: None,
        status: Some("in-progress".into()),
        answered: Some(200),
        outcome: "untouched",
        cause: None,
        told: Told::Answer(200, 350),
        incident: None,
        redaction: Arc::default(),
    }
}

impl Site {
    fn remember(&self, sid: &str, step: Step) {
        self.remembered.lock().unwrap().push((sid.to_owned(), step));
    }
}

fn paths(story: &Value) -> Vec<&str> {
    story["steps"].as_array().unwrap().iter().map(|s| s["path"].as_str().unwrap()).collect()
}

#[test]
fn memory_store_and_incidents_make_one_story() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/voice");
    let incident = site.incidents(1)[0].clone();
    assert_eq!(incident["call_sid"], SID);
    let time = incident["time_ms"].as_u64().unwrap();
    site.recorder.steps(SID, vec![noted(time - 2_000, "/kept")]);
    site.remember(SID, step(time + 1_000, "/remembered"));
    site.remember("CA1", step(1, "/other"));
    let path = format!("/api/calls/{SID}");
    let begun = Instant::now();
    let story = loop {
        let story = site.json(&path);
        if story["steps"].as_array().unwrap().len() == 3 {
            break story;
        }
        assert!(begun.elapsed() < PATIENCE, "{story}");
    };
    assert_eq!(paths(&story), ["/kept", "/voice", "/remembered"]);
    assert_eq!(story["steps"][1]["incident"], incident["id"]);
    assert_eq!(story["incidents"][0]["id"], incident["id"]);
    assert_eq!(story["summary"], incident["summary"]);
    assert!(story["summary"].as_str().unwrap().contains(" averted: POST /voice "), "{story}");
    assert_eq!(story["sid"], SID);
}

#[test]
fn what_is_only_remembered_needs_no_store() {
    let site = Site::with(nobody(), |config| config.state_dir = None);
    site.remember("CA1", step(1, "/a"));
    let story = site.json("/api/calls/CA1");
    assert_eq!(paths(&story), ["/a"]);
    assert!(story["summary"].is_null() && story["incidents"].as_array().unwrap().is_empty());
}

#[test]
fn an_unknown_call_and_what_is_no_sid_are_told() {
    let backend = broken();
    let site = Site::before(backend.address);
    site.call("/voice");
    site.incidents(1);
    let unknown = site.get("/api/calls/CAffffffffffffffffffffffffffffffff");
    assert_eq!(unknown.status(), 404);
    assert!(parsed(&unknown)["error"].as_str().unwrap().contains("neither the store nor"));
    for wrong in ["", "CA%201", "CA/1", &"x".repeat(65)] {
        let answer = site.get(&format!("/api/calls/{wrong}"));
        assert_eq!(answer.status(), 400, "{wrong}");
        assert_eq!(parsed(&answer)["parameter"], "SID", "{wrong}");
    }
    assert_eq!(site.get(&format!("/api/calls/{SID}?x=1")).status(), 400);
}
