//! What a judged exchange tells of its call: taken as a step.

use std::time::Duration;

use uuid::Uuid;

use super::caught::caught_now;
use super::worker::Worker;
use crate::calls;
use crate::clock::now_ms;
use crate::guard::call::StreamState;
use crate::guard::causes::{Cause, document, status};
use crate::guard::stream::{StreamEnd, StreamReport};
use crate::guard::{Delivery, DeliveryKind, Exchange, Judgement, Outcome};
use crate::incidents::timeline::Step;
use crate::twilio::{Params, Slot, call};

/// Longest status that is noted; Twilio's longest has 11 characters.
const MAX_STATUS: usize = 32;
/// Longest path that is noted.
const MAX_PATH: usize = 300;

/// What tells that the backend has nothing to answer with on this path.
const NO_ROUTE: [&Cause; 4] = [
    &document::html_page::CAUSE,
    &document::single_page_app::CAUSE,
    &status::method_refused::CAUSE,
    &status::not_found::CAUSE,
];

/// Takes the exchange as a step of its call.
pub(super) fn note(
    worker: &Worker,
    exchange: &Exchange,
    judgement: &Judgement,
    took: Duration,
    incident: Option<Uuid>,
) {
    // What Twilio did not send is no step of any call.
    if exchange.call.signature.is_refuted() {
        return;
    }
    let Some(sid) = calls::sid(&exchange.request.params) else { return };
    // Whatever is noted or not, the answer has to leave.
    let _ = caught_now(&worker.metrics, "noting a step of a call", || {
        let step = step(worker, exchange, judgement, took, incident);
        worker.recorder.steps(sid, worker.calls.note(sid, step));
    });
}

/// Routes that take TwiML, where the backend has nothing on this path.
pub(super) fn known_routes(worker: &Worker, judgement: &Judgement) -> Vec<String> {
    let has_none = NO_ROUTE.iter().any(|cause| judgement.findings.iter().any(|f| f.is(cause)));
    if has_none { worker.calls.known_routes() } else { Vec::new() }
}

fn step(
    worker: &Worker,
    exchange: &Exchange,
    judgement: &Judgement,
    took: Duration,
    incident: Option<Uuid>,
) -> Step {
    let request = &exchange.request;
    let path: String =
        request.target.split('?').next().unwrap_or_default().chars().take(MAX_PATH).collect();
    let role = &exchange.call.role;
    let delivery = judgement.withheld.as_ref().unwrap_or(&judgement.delivery);
    Step {
        time_ms: now_ms().saturating_sub(millis(took)),
        duration_ms: millis(took),
        method: request.method.as_str().chars().take(MAX_STATUS).collect(),
        path: worker.redaction.text(&path),
        slot: exchange.slot.name().to_owned(),
        belief: role.belief.name().to_owned(),
        role: role.handed_out.as_ref().map(|place| worker.redaction.text(&place.to_string())),
        status: status_of(&request.params),
        answered: match &exchange.outcome {
            Outcome::Answered(answer) => Some(answer.status.as_u16()),
            Outcome::Failed(_) => None,
        },
        outcome: match (stream(exchange), &delivery.kind) {
            (Some(report), _) => outcome_of(report),
            (None, DeliveryKind::Refusal) => "failed",
            (None, _) => judgement.verdict.name(),
        }
        .to_owned(),
        cause: judgement.first_cause().map(|cause| cause.slug.to_owned()),
        told: match stream(exchange) {
            Some(report) => worker.redaction.text(&report.words()),
            None => told(&judgement.delivery) + &fell_back(worker, exchange),
        },
        incident,
    }
}

/// What the stream came to, where the exchange is one.
fn stream(exchange: &Exchange) -> Option<&StreamReport> {
    match &exchange.call.stream {
        StreamState::Over(report) if exchange.slot == Slot::Stream => Some(report),
        _ => None,
    }
}

fn outcome_of(report: &StreamReport) -> &'static str {
    match report.end {
        StreamEnd::Refused => "refused",
        StreamEnd::Stopped => "died",
        _ if report.died_at_once() || report.never_started() => "died",
        _ => "ran",
    }
}

/// CallStatus, or that of a message.
fn status_of(params: &Params) -> Option<String> {
    let names = ["CallStatus", "MessageStatus", "SmsStatus"];
    let status = names.into_iter().find_map(|name| params.get(name))?;
    Some(status.chars().filter(char::is_ascii_graphic).take(MAX_STATUS).collect())
}

/// Whose fault made Twilio ask here, where it fell back.
fn fell_back(worker: &Worker, exchange: &Exchange) -> String {
    let Some(fell) = call::fell_back(&exchange.request.params, exchange.slot) else {
        return String::new();
    };
    let url = fell.url.map_or_else(|| "another URL".to_owned(), |url| worker.redaction.target(url));
    let code: String = fell.code.unwrap_or("no code").chars().take(MAX_STATUS).collect();
    let url: String = url.chars().take(MAX_PATH).collect();
    format!("; Twilio fell back here because {url} gave {code}")
}

/// What left, in a few words.
fn told(delivery: &Delivery) -> String {
    let (status, bytes) = (delivery.status.as_u16(), delivery.body.len());
    match &delivery.kind {
        DeliveryKind::Empty if bytes > 0 => "an empty <Response/>".to_owned(),
        DeliveryKind::Fallback(name) => format!("fallback \"{name}\""),
        DeliveryKind::Redirect => "a <Redirect> to the same page".to_owned(),
        DeliveryKind::Refusal => status.to_string(),
        _ if bytes == 0 => format!("{status}, empty"),
        _ => format!("{status}, {bytes} bytes"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
