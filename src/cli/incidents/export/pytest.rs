//! Recorded requests as tests for the backend's own repository.

use std::collections::BTreeSet;

use super::quote::{comment, python};
use super::told;
use crate::guard::Verdict;
use crate::guard::causes::headers::callback_slow;
use crate::guard::twiml::grammar;
use crate::incidents::record::Record;
use crate::incidents::replay::Request;
use crate::incidents::view::texts;

const FIXTURE: &str = include_str!("fixture.py");
const APP: &str = "APP = None\n";
const ATTRIBUTES: &str = "ATTRIBUTES = set()\n";
const ELEMENTS: &str = "ELEMENTS = set()\n";
const CASES: &str = "CASES = []\n";

/// Why a test could not fail on what was recorded, where that is so.
pub(super) fn passes_already(record: &Record) -> Option<&'static str> {
    if record.row.outcome == Verdict::Untouched.name() {
        Some("Twilio takes the answer, there was only a warning")
    } else if record.row.cause == callback_slow::CAUSE.slug {
        Some("the answer only came late, and a test can't tell when it will again")
    } else {
        None
    }
}

/// The file up to its cases; `app`: the Flask app that is asked unless the environment says
/// otherwise.
pub(super) fn head(app: Option<&str>) -> String {
    let (before, _) = FIXTURE.split_once(CASES).unwrap_or((FIXTURE, ""));
    let app = app.map_or_else(|| APP.to_owned(), |app| format!("APP = {}\n", python(app)));
    let rules = grammar::rules();
    let before = before
        .replacen(ELEMENTS, &set("ELEMENTS", rules.iter().map(|rule| rule.name)), 1)
        .replacen(
            ATTRIBUTES,
            &set("ATTRIBUTES", rules.iter().flat_map(|rule| rule.attributes).copied()),
            1,
        )
        .replacen(APP, &app, 1);
    format!("{before}CASES = [\n")
}

/// A set of names, over as many lines as it needs.
fn set<'n>(variable: &str, names: impl Iterator<Item = &'n str>) -> String {
    let mut lines = vec![String::new()];
    for name in names.collect::<BTreeSet<_>>() {
        if lines.last().is_some_and(|line| line.len() + name.len() > 100) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(name);
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| format!("    {}\n", line.trim())).collect();
    format!("{variable} = set(\"\"\"\n{}\"\"\".split())\n", lines.concat())
}

/// The file after its cases.
pub(super) fn foot() -> String {
    let (_, after) = FIXTURE.split_once(CASES).unwrap_or(("", ""));
    format!("]\n{after}")
}

/// One case.
pub(super) fn case(record: &Record, request: &Request) -> String {
    let row = &record.row;
    let (explain, remedy) = texts(&row.cause);
    let id = row.id.to_string();
    let name = format!("{}-{}-{}", row.cause, row.path.trim_matches('/'), id);
    let mut fields = vec![
        ("name", python(&name)),
        ("slot", python(&row.slot)),
        ("cause", python(&row.cause)),
        ("explain", python(explain)),
        ("remedy", python(remedy)),
        ("method", python(request.method.as_str())),
        ("url", python(&request.url(None))),
        ("target", python(request.target.as_str())),
        ("headers", sent(request)),
        ("body", python(&String::from_utf8_lossy(&request.body))),
    ];
    if let Some(answer) = record.attempts.last().and_then(|attempt| attempt.answer.as_ref()) {
        fields.push(("recorded_status", answer.status.to_string()));
        fields.push(("recorded_headers", pairs(answer.headers.iter().cloned())));
        fields.push(("recorded_body", python(&answer.body.text)));
    } else {
        let failure = record.failure.as_deref().unwrap_or("no answer");
        fields.push(("recorded_failure", python(failure)));
    }
    fields.push(("recorded_verdict", python(&row.outcome)));
    fields.push(("expected_verdict", python("untouched")));
    let told = told::lines(record, request);
    let told = told.iter().map(|line| format!("    # {}\n", comment(line)));
    let fields = fields.iter().map(|(name, value)| format!("        \"{name}\": {value},\n"));
    format!("{}    {{\n{}    }},\n", told.collect::<String>(), fields.collect::<String>())
}

fn sent(request: &Request) -> String {
    pairs(request.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    }))
}

fn pairs(all: impl Iterator<Item = (String, String)>) -> String {
    let all: Vec<_> =
        all.map(|(name, value)| format!("({}, {})", python(&name), python(&value))).collect();
    format!("[{}]", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_of_the_fixture_is_filled() {
        let file = head(Some("shop.web:app")) + &foot();
        for mark in [APP, ATTRIBUTES, ELEMENTS, CASES] {
            assert_eq!(FIXTURE.matches(mark).count(), 1, "{mark}");
            assert!(!file.contains(mark), "{mark}");
        }
        for filled in ["APP = \"shop.web:app\"\n", " Gather", " numDigits", "CASES = [\n]\n"] {
            assert!(file.contains(filled), "{filled}");
        }
        assert!(head(None).contains(APP));
        assert!(foot().contains("def test_twilio_takes_the_answer(case):"));
    }
}
