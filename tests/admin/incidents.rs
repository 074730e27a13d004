//! Lists, pages, filters, single incidents, statistics.

use serde_json::Value;

use super::{Site, broken, parsed};
use crate::support::backend::{Backend, twiml};
use crate::support::client::{ask, post};
use crate::support::guard::route;

fn ids(incidents: &[Value]) -> Vec<String> {
    incidents.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_outbreak_and_its_incidents_are_told() {
    let backend = broken();
    let site = Site::with(backend.address, |config| route(config, "/voice", "voice", |_| {}));
    site.call("/voice");
    site.call("/voice");
    let incidents = site.incidents(2);
    let outbreaks = site.json("/api/outbreaks");
    let outbreak = &outbreaks["outbreaks"][0];
    assert_eq!(outbreaks["outbreaks"].as_array().unwrap().len(), 1);
    assert_eq!((&outbreak["route"], &outbreak["count"]), (&"/voice".into(), &2.into()));
    assert_eq!((&outbreak["open"], &outbreak["callers"]), (&true.into(), &1.into()));
    let newest = &incidents[0];
    assert_eq!(newest["outbreak"], outbreak["id"]);
    assert_eq!(newest["outcome"], "replaced");
    assert!(newest.get("record").is_none());
    assert!(!newest["remedy"].as_str().unwrap().is_empty());
    let id = newest["id"].as_str().unwrap();
    let whole = site.json(&format!("/api/incidents/{id}"));
    assert_eq!(whole["id"], id);
    let answer = &whole["record"]["attempts"][0]["answer"];
    assert_eq!(answer["status"], 500, "{whole:#}");
    assert!(answer["body"]["text"].as_str().unwrap().contains("<h1>"));
    // The beginning of an id will do, as long as it is one incident's.
    assert_eq!(site.json(&format!("/api/incidents/{}", &id[..35]))["id"], id);
    let several = site.get("/api/incidents/0");
    assert_eq!(several.status(), 409);
    assert_eq!(parsed(&several)["ids"].as_array().unwrap().len(), 2);
    for (path, status) in [
        ("/api/incidents/ffffffff-0000-7000-8000-000000000000", 404),
        ("/api/incidents/not-an-id", 400),
        ("/api/incidents/", 400),
        ("/api/incidents/0?limit=1", 400),
        ("/api/incident", 404),
    ] {
        let answer = site.get(path);
        assert_eq!(answer.status(), status, "{path}");
        assert!(!parsed(&answer)["error"].as_str().unwrap().is_empty());
    }
}

#[test]
fn pages_hold_every_incident_once_and_newest_first() {
    let backend = broken();
    let site = Site::before(backend.address);
    for _ in 0..23 {
        site.call("/x");
    }
    let all = ids(&site.incidents(23));
    let (mut seen, mut before, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = site.json(&format!("/api/incidents?limit=10{before}"));
        seen.extend(ids(page["incidents"].as_array().unwrap()));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 23));
    assert_eq!(seen, all);
    // A page that holds just all of it is the last one.
    assert_eq!(site.json("/api/incidents?limit=23")["next"], Value::Null);
    assert_eq!(site.json("/api/incidents?limit=22")["next"], all[21].as_str());
}

#[test]
fn filters_take_what_they_say() {
    let backend = broken();
    let site = Site::with(backend.address, |config| {
        route(config, "/voice", "voice", |_| {});
        route(config, "/other", "voice", |_| {});
    });
    site.call("/voice");
    let other = "CallSid=CA00000000000000000000000000000002&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=ringing&From=%2B15550199&To=%2B15550101";
    ask(site.public, post("/other", other));
    let all = site.incidents(2);
    let outbreak = all[0]["outbreak"].as_str().unwrap();
    for (query, expected) in [
        ("route=/voice", vec!["/voice"]),
        ("number=%2B15550199", vec!["/other"]),
        ("number=%2B1+555-0101", vec!["/other", "/voice"]),
        ("number=%2B15550102", vec![]),
        ("call=CA00000000000000000000000000000002", vec!["/other"]),
        ("cause=html-page", vec!["/other", "/voice"]),
        ("cause=prose", vec![]),
        ("outcome=replaced", vec!["/other", "/voice"]),
        ("outcome=repaired", vec![]),
        ("code=12100", vec!["/other", "/voice"]),
        ("code=13520", vec![]),
        ("since=1h", vec!["/other", "/voice"]),
        ("until=1h", vec![]),
        ("since=2020-01-01&until=2020-01-02", vec![]),
        (&format!("outbreak={outbreak}"), vec!["/other"]),
        ("route=/voice&cause=html-page&limit=1", vec!["/voice"]),
    ] {
        let page = site.json(&format!("/api/incidents?{query}"));
        let found: Vec<_> =
            page["incidents"].as_array().unwrap().iter().map(|one| one["route"].clone()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let whole = site.json("/api/outbreaks?all=1");
    let ids = |page: &Value| -> Vec<Value> {
        page["outbreaks"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    assert!(whole["next"].is_null(), "{whole}");
    let mut paged = Vec::new();
    let mut next = site.json("/api/outbreaks?all=1&limit=1");
    loop {
        paged.extend(ids(&next));
        let Some(before) = next["next"].as_str() else { break };
        next = site.json(&format!("/api/outbreaks?all=1&limit=1&before={before}"));
    }
    assert!(paged.len() > 1, "{whole}");
    assert_eq!(paged, ids(&whole));
    let told = site.json("/api/outbreaks?route=/other&all=1");
    assert_eq!(told["outbreaks"].as_array().unwrap().len(), 1);
    for query in ["limit=1001", "limit=0", "since=never", "cause=htmlpage", "colour=red"] {
        for list in ["outbreaks", "incidents"] {
            let answer = site.get(&format!("/api/{list}?{query}"));
            assert_eq!(answer.status(), 400, "{list} {query}");
            let name = query.split('=').next().unwrap();
            assert_eq!(parsed(&answer)["parameter"], name, "{list} {query}");
        }
    }
    assert_eq!(site.get("/api/incidents?limit=1000").status(), 200);
}

#[test]
fn statistics_count_good_answers_too() {
    let backend = Backend::always(twiml("fine"));
    let site = Site::with(backend.address, |config| route(config, "/voice", "voice", |_| {}));
    for _ in 0..3 {
        site.call("/voice");
    }
    let begun = std::time::Instant::now();
    let stats = loop {
        let answer = site.get("/api/stats?since=1h&route=/voice");
        let stats = parsed(&answer);
        if stats["total"]["answers"] == 3 {
            break stats;
        }
        assert!(begun.elapsed() < super::PATIENCE, "{stats}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(stats["routes"][0]["route"], "/voice");
    assert_eq!(stats["routes"][0]["untouched"], 3);
    assert_eq!(site.get("/api/stats?limit=1").status(), 400);
}

#[test]
fn without_a_state_directory_there_is_nothing_to_read_but_modes() {
    let backend = broken();
    let site = Site::with(backend.address, |config| config.state_dir = None);
    for path in ["/api/outbreaks", "/api/incidents", "/api/incidents/0", "/api/stats", "/api/tail"]
    {
        let answer = site.get(path);
        assert_eq!(answer.status(), 503, "{path}");
        assert!(answer.text().contains("state_dir"), "{}", answer.text());
    }
    assert_eq!(site.get("/api/mode").status(), 200);
}
