//! Recorded requests as tests for the backend's own repository.

use std::collections::BTreeSet;

use super::quote::{comment, python};
use super::told;
use crate::guard::twiml::grammar;
use crate::incidents::record::Record;
use crate::incidents::replay::Request;
use crate::incidents::view::texts;

const FIXTURE: &str = include_str!("fixture.py");
const APP: &str = "APP = None\n";
const ATTRIBUTES: &str = "ATTRIBUTES = set()\n";
const ELEMENTS: &str = "ELEMENTS = set()\n";
const CASES: &str = "CASES = []\n";

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
            *line += &format!(" {name}");
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
    let mut text = String::new();
    for line in told::lines(record, request) {
        text += &format!("    # {}\n", comment(&line));
    }
    text += "    {\n";
    let mut field = |name: &str, value: String| text += &format!("        \"{name}\": {value},\n");
    field("name", python(&name));
    field("slot", python(&row.slot));
    field("cause", python(&row.cause));
    field("explain", python(explain));
    field("remedy", python(remedy));
    field("method", python(request.method.as_str()));
    field("url", python(&request.url(None)));
    field("target", python(request.target.as_str()));
    let headers = request.headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    field("headers", pairs(headers));
    field("body", python(&String::from_utf8_lossy(&request.body)));
    let answer = record.attempts.last().and_then(|attempt| attempt.answer.as_ref());
    match answer {
        Some(answer) => {
            field("recorded_status", answer.status.to_string());
            field("recorded_headers", pairs(answer.headers.iter().cloned()));
            field("recorded_body", python(&answer.body.text));
        }
        None => {
            let failure = record.failure.as_deref().unwrap_or("no answer");
            field("recorded_failure", python(failure));
        }
    }
    field("recorded_verdict", python(&row.outcome));
    field("expected_verdict", python("untouched"));
    text + "    },\n"
}

fn pairs(all: impl Iterator<Item = (String, String)>) -> String {
    let all: Vec<_> =
        all.map(|(name, value)| format!("({}, {})", python(&name), python(&value))).collect();
    format!("[{}]", all.join(", "))
}
