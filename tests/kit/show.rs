//! A judgement as the last two parts of a case file.

use std::fmt::Write;

use http::HeaderMap;
use twiml_guard::guard::{
    Answer, AttemptReason, Delivery, DeliveryKind, Exchange, Finding, Judgement, Outcome, Policy,
    RequestBody, follow_up, resign,
};

/// Both parts, ready to be compared or written.
pub fn shown(exchange: &Exchange, policy: &Policy, judgement: &Judgement) -> String {
    let mut text = "=== findings\n".to_owned();
    for found in &judgement.findings {
        text.push_str(&finding(found));
        text.push('\n');
    }
    text.push_str("=== delivered\n");
    let second =
        follow_up(exchange.slot, &exchange.request, &exchange.attempts, &exchange.outcome, policy);
    if let Some(second) = second.or_else(|| resign(exchange, policy)) {
        let why = match &second.reason {
            AttemptReason::First => "first",
            AttemptReason::OtherMethod => "other method",
            AttemptReason::Collapsed => "collapsed",
            AttemptReason::PostAgain => "post again",
            AttemptReason::Redirect => "redirect",
            AttemptReason::Resent => "resent",
            AttemptReason::Resigned { url } => &format!("signed for {url}"),
        };
        let body = match &second.body {
            RequestBody::Same => ", same body".to_owned(),
            RequestBody::Empty => String::new(),
            RequestBody::Form(form) => format!(", form {}", String::from_utf8_lossy(form)),
        };
        let https = if second.as_https { ", as https" } else { "" };
        let _ = writeln!(
            text,
            "asks again: {} {} ({why}{https}{body}); without that:",
            second.method, second.target
        );
    }
    let _ = writeln!(text, "{}", judgement.verdict.name());
    let answer = match &exchange.outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Failed(_) => None,
    };
    if let Some(withheld) = &judgement.withheld {
        delivery(&mut text, answer, policy, exchange, &judgement.delivery);
        text.push_str("withheld:\n");
        delivery(&mut text, answer, policy, exchange, withheld);
    } else {
        delivery(&mut text, answer, policy, exchange, &judgement.delivery);
    }
    text
}

fn finding(finding: &Finding) -> String {
    let mut line = finding.cause.slug.to_owned();
    if let Some(place) = finding.place {
        let _ = write!(line, " {}:{}", place.line, place.column);
    }
    if let Some(grade) = finding.repair {
        let _ = write!(line, " {}", grade.name());
    }
    let evidence: String = finding.evidence.chars().take(70).collect();
    let _ = write!(line, " | {}", visible(&evidence));
    line
}

/// Letters of all scripts as they are, everything that is not seen as its escape.
fn visible(text: &str) -> String {
    text.chars()
        .flat_map(
            |c| {
                if matches!(c, '"' | '\'' | '\\') { vec![c] } else { c.escape_debug().collect() }
            },
        )
        .collect::<String>()
        .replace('\u{200b}', "\\u{200b}")
}

fn delivery(
    text: &mut String,
    answer: Option<&Answer>,
    policy: &Policy,
    exchange: &Exchange,
    delivery: &Delivery,
) {
    match &delivery.kind {
        DeliveryKind::Original => {
            let same =
                answer.is_some_and(|a| a.body == delivery.body && a.status == delivery.status);
            text.push_str(if same { "unchanged\n" } else { "CHANGED ORIGINAL\n" });
            return;
        }
        DeliveryKind::Fallback(name) => {
            let _ = writeln!(text, "fallback {name}");
            kept_cookies(text, &delivery.headers);
            let built_in = policy.plain_fallbacks.of(exchange.slot);
            if built_in.is_some_and(|fallback| fallback.body == delivery.body) {
                return;
            }
        }
        DeliveryKind::Refusal => text.push_str("refusal 502\n"),
        DeliveryKind::Empty if delivery.status.as_u16() == 204 => text.push_str("empty 204\n"),
        DeliveryKind::Empty => text.push_str("empty\n"),
        DeliveryKind::Redirect => text.push_str("redirect\n"),
        DeliveryKind::Repaired => {
            text.push_str("mended\n");
            if let Some(answer) = answer {
                changed(text, answer, delivery);
            }
        }
    }
    let body = String::from_utf8_lossy(&delivery.body);
    if body.is_empty() {
        return;
    }
    if body.len() > 4000 {
        let _ = writeln!(text, "({} bytes)", body.len());
    } else {
        let _ = writeln!(text, "\n{}", body.replace('\r', "\\r"));
    }
}

fn kept_cookies(text: &mut String, headers: &HeaderMap) {
    for cookie in headers.get_all("set-cookie") {
        let _ = writeln!(text, "set-cookie: {}", String::from_utf8_lossy(cookie.as_bytes()));
    }
}

/// What the delivery's head says otherwise than the answer's.
fn changed(text: &mut String, answer: &Answer, delivery: &Delivery) {
    if answer.status != delivery.status {
        let _ = writeln!(text, "status {}", delivery.status.as_u16());
    }
    let lines = |headers: &HeaderMap| {
        headers
            .iter()
            .map(|(name, value)| {
                format!("{name}: {}", visible(&String::from_utf8_lossy(value.as_bytes())))
            })
            .filter(|line| !line.starts_with("content-length") && !line.starts_with("transfer-enc"))
            .collect::<Vec<_>>()
    };
    let (before, after) = (lines(&answer.headers), lines(&delivery.headers));
    for line in before.iter().filter(|line| !after.contains(line)) {
        let _ = writeln!(text, "- {line}");
    }
    for line in after.iter().filter(|line| !before.contains(line)) {
        let _ = writeln!(text, "+ {line}");
    }
}
