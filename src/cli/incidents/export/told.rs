//! What is told of an incident in the comments of a script.

use crate::guard::explain::one_line;
use crate::incidents::record::Record;
use crate::incidents::replay::Request;
use crate::incidents::view::{rfc3339, texts};

/// Lines about one incident.
pub(super) fn lines(record: &Record, request: &Request) -> Vec<String> {
    let row = &record.row;
    let (explain, remedy) = texts(&row.cause);
    let mut lines = vec![
        format!("{} {}, {}, incident {}", row.method, row.path, rfc3339(row.time_ms), row.id),
        format!("cause: {}{}: {explain}", row.cause, codes(record)),
    ];
    if let Some(evidence) = record.findings.first().map(|finding| one_line(&finding.evidence)) {
        lines.push(format!("seen: {evidence}"));
    }
    lines.push(format!("then: {}", then(record)));
    lines.push(format!("expected: {}", expected(&row.slot)));
    lines.push(format!("fix: {remedy}"));
    if !request.substitutes.is_empty() {
        let all: Vec<_> =
            request.substitutes.iter().map(|s| format!("{}={}", s.name, s.sent)).collect();
        lines.push(format!("in place of what was masked: {}", all.join(", ")));
    }
    lines
}

fn codes(record: &Record) -> String {
    match record.row.codes.first() {
        Some(code) => format!(" (Twilio {code})"),
        None => String::new(),
    }
}

/// What the backend answered.
fn then(record: &Record) -> String {
    let answer = record.attempts.last().and_then(|attempt| attempt.answer.as_ref());
    match (answer, &record.failure) {
        (Some(answer), _) => {
            let kind = answer.headers.iter().find(|(name, _)| name == "content-type");
            let kind = kind.map_or("without Content-Type", |(_, value)| value);
            format!("{} {kind}, {} bytes", answer.status, answer.body.bytes)
        }
        (None, Some(failure)) => format!("no answer: {failure}"),
        (None, None) => "no answer".to_owned(),
    }
}

/// What Twilio takes in this slot.
fn expected(slot: &str) -> &'static str {
    match slot {
        "callback" => "status 200 or 204",
        _ => "status 200, Content-Type text/xml, UTF-8, one well-formed <Response>",
    }
}
