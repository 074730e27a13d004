//! An explanation for people: one sentence, then the detail, then what the guard delivers.

use std::fmt::Write;

use http::header::CONTENT_TYPE;

use super::{draw, expected};
use crate::guard::causes::{Evidence, Level};
use crate::guard::explain::paste::Paste;
use crate::guard::explain::{Explanation, catalogue, one_line};
use crate::guard::{Delivery, DeliveryKind, Finding, Grade, RequestBody, SecondRequest, Verdict};
use crate::telemetry::visible::{visible, visible_bounded};

/// Most characters of the sentence: it is to be read out on the phone.
const SENTENCE: usize = 300;
/// Most lines of a delivered document that are shown.
const DOCUMENT_LINES: usize = 40;

/// The whole report, ending in a line end.
pub(super) fn render(paste: &Paste, explanation: &Explanation) -> String {
    let mut text = format!("{}\n", visible_bounded(&explanation.sentence, SENTENCE));
    let judgement = &explanation.judgement;
    text += &logged(explanation);
    for (at, finding) in judgement.findings.iter().enumerate() {
        if at == 0 && expected(explanation) != Some(true) {
            for line in codes(finding) {
                let _ = writeln!(text, "{}.", capital(&line));
            }
        }
        let mut notes = if at == 0 { Vec::new() } else { codes(finding) };
        notes.extend(details(finding));
        text.push('\n');
        text += &draw::finding(finding, &judgement.decoded, &notes, finding.cause.remedy);
    }
    text.push('\n');
    match &explanation.second {
        Some(second) => text += &second_request(second),
        None if explanation.body_is_known => {
            text += &delivery(judgement.verdict, &judgement.delivery);
        }
        None => text += "What the guard delivers depends on the body.\n",
    }
    text += &fixes(explanation);
    if !paste.earlier.is_empty() {
        let earlier = paste.earlier.join(", ");
        let _ = writeln!(text, "\npassed over: {}", visible_bounded(&earlier, SENTENCE));
    }
    for (at, note) in paste.notes.iter().enumerate() {
        let gap = if at == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}note: {}", visible_bounded(note, SENTENCE));
    }
    text
}

/// What Twilio logged, beside what this answer leads to.
fn logged(explanation: &Explanation) -> String {
    let Some(logged) = &explanation.logged else { return String::new() };
    if !explanation.body_is_known && explanation.judgement.findings.is_empty() {
        // The sentence says it.
        return String::new();
    }
    let code = logged.code.map_or_else(|| "no code".to_owned(), catalogue::code);
    let fits = match expected(explanation) {
        Some(true) => "; this answer explains it",
        Some(false) => "; what is found here goes by other codes, so look at both",
        None => "",
    };
    let mut text = format!("Twilio logged {}{fits}.\n", visible(&code));
    if let Some(message) = &logged.message {
        let _ = writeln!(text, "Its words: {}", visible_bounded(&one_line(message), SENTENCE));
    }
    text
}

/// What to write in the framework that was recognised.
fn fixes(explanation: &Explanation) -> String {
    let Some(found) = &explanation.recognised else { return String::new() };
    let mut text = String::new();
    for (_, fix) in &explanation.fixes {
        let by = visible_bounded(&found.by, 100);
        let _ = writeln!(text, "\nIn {} ({by}): {}.\n", found.framework.name, fix.says);
        for line in fix.code.lines() {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
        }
    }
    text
}

fn codes(finding: &Finding) -> Vec<String> {
    let says = match (finding.cause.level, finding.cause.evidence) {
        (_, Evidence::Inferred) => "probably (inferred, not Twilio's word):",
        (Level::Fault, _) => "Twilio logs",
        (Level::Warning, _) => "Twilio may log",
    };
    finding.cause.codes.iter().map(|&code| format!("{says} {}", catalogue::code(code))).collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn details(finding: &Finding) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(place) = finding.place {
        notes.push(format!("byte {} of the body", place.offset));
    }
    notes.push(done(finding));
    notes
}

/// What the guard does about a finding.
pub(in crate::cli) fn done(finding: &Finding) -> String {
    match finding.repair {
        Some(Grade::Lossless) => "the guard repairs it: the same call flow for certain".to_owned(),
        Some(Grade::Inferred) => "the guard repairs it: there is one sensible reading".to_owned(),
        None => format!("the guard: {}", finding.cause.action),
    }
}

fn second_request(second: &SecondRequest) -> String {
    let with = match &second.body {
        RequestBody::Same => ", same parameters",
        RequestBody::Empty => "",
        RequestBody::Form(_) => ", parameters as a form",
    };
    format!(
        "The guard asks the backend again: {} {}{with};\nwhat comes back is judged and delivered.\n",
        second.method,
        visible(&second.target),
    )
}

fn delivery(verdict: Verdict, delivery: &Delivery) -> String {
    if verdict == Verdict::Untouched {
        return "The guard delivers it untouched.\n".to_owned();
    }
    let what = match &delivery.kind {
        DeliveryKind::Original => "the original".to_owned(),
        DeliveryKind::Repaired => "the repaired document".to_owned(),
        DeliveryKind::Empty => "nothing more to say".to_owned(),
        DeliveryKind::Fallback(name) => format!("fallback `{name}`"),
        DeliveryKind::Redirect => "a redirect that Twilio signs itself".to_owned(),
        DeliveryKind::Refusal => "a refusal".to_owned(),
    };
    let content_type = delivery
        .headers
        .get(CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default();
    let mut text = format!(
        "The guard delivers {what}: {} {}, {} bytes\n",
        delivery.status.as_u16(),
        visible(&content_type),
        delivery.body.len(),
    );
    let Ok(body) = std::str::from_utf8(&delivery.body) else { return text };
    if !body.is_empty() {
        text.push('\n');
    }
    for line in body.lines().take(DOCUMENT_LINES) {
        let _ = writeln!(text, "    {}", visible_bounded(line, 2_000));
    }
    let more = body.lines().count().saturating_sub(DOCUMENT_LINES);
    if more > 0 {
        let _ = writeln!(text, "    … {more} lines more");
    }
    text
}
