//! An explanation for programs.

use serde_json::{Value, json};

use crate::guard::causes::Level;
use crate::guard::explain::Explanation;
use crate::guard::explain::paste::Paste;
use crate::guard::{Delivery, Finding, Grade};

/// One JSON object, ending in a line end.
pub(super) fn render(paste: &Paste, explanation: &Explanation) -> String {
    let judgement = &explanation.judgement;
    let second = explanation
        .second
        .as_ref()
        .map(|second| json!({ "method": second.method.as_str(), "target": second.target }));
    let object = json!({
        "sentence": explanation.sentence,
        "found": explanation.found_something(),
        "slot": explanation.exchange.slot.name(),
        "verdict": judgement.verdict.name(),
        "codes": judgement.codes(),
        "findings": judgement.findings.iter().map(finding).collect::<Vec<_>>(),
        "second_request": second,
        "delivery": explanation.second.is_none().then(|| delivery(&judgement.delivery)),
        "earlier": paste.earlier,
        "notes": paste.notes,
    });
    format!("{object:#}\n")
}

fn finding(finding: &Finding) -> Value {
    let level = match finding.cause.level {
        Level::Fault => "fault",
        Level::Warning => "warning",
    };
    let place = finding
        .place
        .map(|place| json!({ "offset": place.offset, "line": place.line, "column": place.column }));
    json!({
        "cause": finding.cause.slug,
        "level": level,
        "codes": finding.cause.codes,
        "explain": finding.cause.explain,
        "remedy": finding.cause.remedy,
        "evidence": finding.evidence,
        "place": place,
        "repair": finding.repair.map(Grade::name),
    })
}

fn delivery(delivery: &Delivery) -> Value {
    let headers: Vec<_> = delivery
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    json!({
        "status": delivery.status.as_u16(),
        "headers": headers,
        "body": String::from_utf8_lossy(&delivery.body),
    })
}
