use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue};

use super::super::super::CAUSES;
use super::*;

fn headers(line: &str) -> HeaderMap {
    let (name, value) = line.split_once(':').unwrap();
    let pair = (
        HeaderName::from_bytes(name.as_bytes()).unwrap(),
        HeaderValue::from_str(value.trim()).unwrap(),
    );
    [pair].into_iter().collect()
}

#[test]
fn every_header_mark_names_its_framework() {
    for framework in FRAMEWORKS {
        for mark in framework.headers {
            let line = if mark.ends_with(": ") { format!("{mark}1") } else { (*mark).to_owned() };
            let found = recognise("<Response/>", &headers(&line)).unwrap();
            assert_eq!(found.framework.name, framework.name, "{mark}");
            assert!(found.by.starts_with("header `"), "{}", found.by);
        }
    }
}

#[test]
fn unknown_answers_are_nobodys() {
    assert!(recognise("<Response/>", &headers("server: mine/1")).is_none());
    assert!(recognise("", &HeaderMap::new()).is_none());
}

#[test]
fn every_fix_can_be_reached_and_reads_well() {
    for framework in FRAMEWORKS {
        let mut answered = BTreeSet::new();
        assert!(!framework.fixes.is_empty(), "{}", framework.name);
        for fix in framework.fixes {
            let at = format!("{}: {}", framework.name, fix.says);
            assert!(!fix.needs.is_empty() && !fix.says.ends_with('.'), "{at}");
            assert!(fix.code.lines().count() <= 12 && !fix.code.ends_with('\n'), "{at}");
            assert!(fix.code.lines().all(|line| line.chars().count() <= 130), "{at}");
            for need in fix.needs {
                assert!(answered.insert(*need), "{at}: {need:?} is answered before");
            }
        }
    }
}

#[test]
fn the_frameworks_of_webhooks_answer_what_goes_wrong_most() {
    let most = [
        Need::Type,
        Need::ErrorPage,
        Need::Route,
        Need::Verb,
        Need::Json,
        Need::Document,
        Need::Escaping,
        Need::Output,
        Need::Forbidden,
    ];
    for name in
        ["Flask", "Django", "FastAPI", "Express", "Rails", "Laravel", "ASP.NET", "AWS Lambda"]
    {
        let framework = FRAMEWORKS.iter().find(|framework| framework.name == name).unwrap();
        for need in most {
            assert!(framework.fix(need).is_some(), "{name}: {need:?}");
        }
    }
}

#[test]
fn every_need_comes_from_a_cause_and_has_a_fix() {
    let statuses = [200, 403, 419, 500, 502];
    let texts = ["", "CSRF verification failed", "<b>Fatal error</b>"];
    let mut needed = BTreeSet::new();
    for cause in CAUSES {
        for status in statuses {
            needed.extend(texts.iter().filter_map(|text| need::of(cause.slug, status, text)));
        }
    }
    for need in Need::ALL {
        assert!(needed.contains(&need), "no cause needs {need:?}");
        assert!(FRAMEWORKS.iter().any(|f| f.fix(need).is_some()), "no fix for {need:?}");
    }
}

#[test]
fn the_same_status_asks_for_different_fixes() {
    let django = |text: &str| need::of("unauthorized", 403, text);
    assert_eq!(django("CSRF verification failed. Request aborted."), Some(Need::Forgery));
    assert_eq!(django("Forbidden"), Some(Need::Forbidden));
    assert_eq!(need::of("html-page", 500, "x"), Some(Need::ErrorPage));
    assert_eq!(need::of("html-page", 502, "x"), Some(Need::Down));
    assert_eq!(need::of("html-page", 200, "x"), Some(Need::Page));
    assert_eq!(need::of("html-page", 200, "<b>Fatal error</b>: x"), Some(Need::ErrorPage));
    assert_eq!(need::of("html-page", 200, "<b>Warning</b>: x"), Some(Need::Output));
    assert_eq!(need::of("html-page", 404, "x"), None);
}
