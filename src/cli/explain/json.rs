//! An explanation for programs.

use serde_json::{Value, json};

use super::expected;
use crate::guard::causes::Level;
use crate::guard::explain::paste::{Missing, Paste};
use crate::guard::explain::{Asked, Explanation};
use crate::guard::{Delivery, Finding, Grade};

/// One JSON object, ending in a line end.
pub(super) fn render(paste: &Paste, asked: &Asked, explanation: &Explanation) -> String {
    let judgement = &explanation.judgement;
    let second = explanation
        .second
        .as_ref()
        .map(|second| json!({ "method": second.method.as_str(), "target": second.target }));
    let logged = explanation.logged.as_ref().map(|logged| {
        json!({
            "code": logged.code,
            "message": logged.message,
            "sid": logged.sid,
            "expected": expected(explanation),
        })
    });
    let framework = explanation
        .recognised
        .as_ref()
        .map(|found| json!({ "name": found.framework.name, "by": found.by }));
    let fixes: Vec<_> = explanation
        .fixes
        .iter()
        .map(|(cause, fix)| json!({ "cause": cause, "says": fix.says, "code": fix.code }))
        .collect();
    let object = json!({
        "sentence": explanation.sentence,
        "found": explanation.found_something(),
        "slot": explanation.exchange.slot.name(),
        "slot_from": asked.slot_from.name(),
        "request": {
            "method": paste.request.method.as_ref().map(http::Method::as_str),
            "url": paste.request.url,
        },
        "logged": logged,
        "verdict": explanation.body_is_known.then(|| judgement.verdict.name()),
        "codes": judgement.codes(),
        "findings": judgement.findings.iter().map(finding).collect::<Vec<_>>(),
        "framework": framework,
        "fixes": fixes,
        "second_request": second,
        "delivery": explanation.delivery_is_known().then(|| delivery(&judgement.delivery)),
        "earlier": paste.earlier,
        "missing": paste.missing.iter().copied().map(Missing::name).collect::<Vec<_>>(),
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
