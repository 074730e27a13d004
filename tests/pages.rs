//! The captured pages: none is passed on, and what the record names as their origin is right.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twiml_guard::guard::{
    Attempt, AttemptReason, BodyEnd, CallFacts, DeliveryKind, Exchange, Outcome, Policy,
    RequestFacts, Verdict, judge,
};
use twiml_guard::twilio::{Params, Slot};

use crate::kit::{contract, http as wire};

struct Page {
    name: String,
    kind: String,
    origin: Option<String>,
    framing: String,
}

fn manifest() -> Vec<Page> {
    let text = std::fs::read_to_string(wire::pages().join("manifest.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().map(str::to_owned);
    entries
        .iter()
        .map(|entry| Page {
            name: text(entry, "name").unwrap(),
            kind: text(entry, "kind").unwrap(),
            origin: text(entry, "origin"),
            framing: text(entry, "framing").unwrap(),
        })
        .collect()
}

fn exchange(page: &Page, slot: Slot) -> Exchange {
    let mut answer = wire::page(&page.name);
    if page.framing == "chunked" {
        answer.headers.insert("transfer-encoding", "chunked".parse().unwrap());
    }
    answer.end = BodyEnd::Complete;
    let form = "CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=ringing";
    Exchange {
        slot,
        request: Arc::new(RequestFacts {
            method: http::Method::POST,
            target: "/voice".to_owned(),
            host: Some("pbx.example.com".to_owned()),
            has_authorization: true,
            params: Params::from_form(form.as_bytes()),
            body: form.into(),
        }),
        attempts: vec![Attempt {
            method: http::Method::POST,
            target: "/voice".to_owned(),
            reason: AttemptReason::First,
            status: Some(answer.status),
            location: None,
            allow: None,
        }],
        outcome: Outcome::Answered(answer),
        elapsed: Duration::from_millis(80),
        call: CallFacts::default(),
    }
}

#[test]
fn no_page_is_passed_on_in_any_slot() {
    let mut broken = Vec::new();
    for page in manifest() {
        for slot in Slot::ALL.into_iter().filter(|slot| slot.takes_twiml()) {
            let exchange = exchange(&page, slot);
            let judgement = judge(&exchange, &Policy::default());
            let expected = match page.kind.as_str() {
                "wrapped" => Verdict::Repaired,
                // Well-formed TwiML with the program's message inside: nobody can tell them apart.
                "unclear" => judgement.verdict,
                _ => Verdict::Replaced,
            };
            if judgement.verdict != expected {
                broken.push(format!(
                    "{} ({}) in {slot}: {} {:?}",
                    page.name,
                    page.kind,
                    judgement.verdict.name(),
                    judgement.findings.iter().map(|f| f.cause.slug).collect::<Vec<_>>()
                ));
            }
            if let Err(why) = contract::hold(&exchange, &Policy::default(), &judgement) {
                broken.push(format!("{} in {slot}: {why}", page.name));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn challenges_pass_where_the_request_carried_no_credentials() {
    for page in manifest().iter().filter(|page| page.kind == "challenge") {
        let mut exchange = exchange(page, Slot::Voice);
        Arc::make_mut(&mut exchange.request).has_authorization = false;
        let judgement = judge(&exchange, &Policy::default());
        assert_eq!(judgement.delivery.kind, DeliveryKind::Original, "{}", page.name);
    }
}

/// The origin that the record names, as the manifest spells it.
fn named(exchange: &Exchange) -> Option<String> {
    let judgement = judge(exchange, &Policy::default());
    judgement.findings.iter().find_map(|finding| {
        let said = &finding.evidence;
        let name = said.strip_prefix("page of ").or_else(|| said.strip_prefix("from "))?;
        let slug = name.split(": ").next()?.to_ascii_lowercase().replace([' ', '/'], "-");
        Some(match slug.as_str() {
            "asp.net" => "aspnet".to_owned(),
            "f5-big-ip" => "f5".to_owned(),
            "next.js" => "next".to_owned(),
            "phusion-passenger" => "passenger".to_owned(),
            "python-http.server" => "python-http-server".to_owned(),
            "spring-boot" => "spring".to_owned(),
            "werkzeug-debugger" => "werkzeug".to_owned(),
            _ => slug,
        })
    })
}

#[test]
fn the_origin_of_a_page_is_named() {
    let mut broken = Vec::new();
    for page in manifest().into_iter().filter(|page| page.kind == "error") {
        let found = named(&exchange(&page, Slot::Voice));
        if found != page.origin {
            broken.push(format!("{}: expected {:?}, found {found:?}", page.name, page.origin));
        }
    }
    assert!(broken.is_empty(), "{} wrong\n{}", broken.len(), broken.join("\n"));
}
