//! What a judged exchange tells of its call: taken as a step.

use std::borrow::Cow;
use std::sync::Arc;
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
use crate::incidents::noted::{Noted, Told};
use crate::twilio::{Params, Slot, call};

/// Longest status that is noted; Twilio's longest has 11 characters.
const MAX_STATUS: usize = 32;
/// Twilio's own words for the state of a call or message, which nobody has to copy.
///
/// Source: Twilio docs, CallStatus and message status values.
const STATUSES: [&str; 21] = [
    "in-progress",
    "ringing",
    "completed",
    "received",
    "initiated",
    "queued",
    "busy",
    "canceled",
    "failed",
    "no-answer",
    "accepted",
    "answered",
    "delivered",
    "partially_delivered",
    "read",
    "receiving",
    "scheduled",
    "sending",
    "sent",
    "undelivered",
    "unknown",
];
/// Longest path that is noted, in characters.
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
pub(super) fn known_routes(worker: &Worker, judgement: &Judgement) -> Arc<[String]> {
    let has_none = NO_ROUTE.iter().any(|cause| judgement.findings.iter().any(|f| f.is(cause)));
    if has_none { worker.calls.known_routes() } else { Arc::default() }
}

fn step(
    worker: &Worker,
    exchange: &Exchange,
    judgement: &Judgement,
    took: Duration,
    incident: Option<Uuid>,
) -> Noted {
    let request = &exchange.request;
    let path = request.target.split('?').next().unwrap_or_default();
    let path = match path.char_indices().nth(MAX_PATH) {
        Some((end, _)) => path.get(..end).unwrap_or_default(),
        None => path,
    };
    let role = &exchange.call.role;
    let delivery = judgement.withheld.as_ref().unwrap_or(&judgement.delivery);
    Noted {
        time_ms: now_ms().saturating_sub(millis(took)),
        duration_ms: millis(took),
        method: request.method.clone(),
        path: path.into(),
        slot: exchange.slot,
        belief: role.belief,
        role: role.handed_out.clone(),
        status: status_of(&request.params),
        answered: match &exchange.outcome {
            Outcome::Answered(answer) => Some(answer.status.as_u16()),
            Outcome::Failed(_) => None,
        },
        outcome: match (stream(exchange), &delivery.kind) {
            (Some(report), _) => outcome_of(report),
            (None, DeliveryKind::Refusal) => "failed",
            (None, _) => judgement.verdict.name(),
        },
        cause: judgement.first_cause().map(|cause| cause.slug),
        told: match stream(exchange) {
            Some(report) => Told::Words(worker.redaction.text(&report.words()).into()),
            None => with_fallback(worker, exchange, told(&judgement.delivery)),
        },
        incident,
        redaction: Arc::clone(&worker.redaction),
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
fn status_of(params: &Params) -> Option<Cow<'static, str>> {
    let names = ["CallStatus", "MessageStatus", "SmsStatus"];
    let status = names.into_iter().find_map(|name| params.get(name))?;
    if let Some(known) = STATUSES.into_iter().find(|known| *known == status) {
        return Some(Cow::Borrowed(known));
    }
    Some(status.chars().filter(char::is_ascii_graphic).take(MAX_STATUS).collect())
}

/// What left, and whose fault made Twilio ask here, where it fell back.
fn with_fallback(worker: &Worker, exchange: &Exchange, told: Told) -> Told {
    let Some(fell) = call::fell_back(&exchange.request.params, exchange.slot) else { return told };
    let url = fell.url.map_or_else(|| "another URL".to_owned(), |url| worker.redaction.target(url));
    let code: String = fell.code.unwrap_or("no code").chars().take(MAX_STATUS).collect();
    let url: String = url.chars().take(MAX_PATH).collect();
    Told::Words(format!("{told}; Twilio fell back here because {url} gave {code}").into())
}

/// What left, in a few words.
fn told(delivery: &Delivery) -> Told {
    let (status, bytes) = (delivery.status.as_u16(), delivery.body.len());
    match &delivery.kind {
        DeliveryKind::Empty if bytes > 0 => Told::Words("an empty <Response/>".into()),
        DeliveryKind::Fallback(name) => Told::Words(format!("fallback \"{name}\"").into()),
        DeliveryKind::Redirect => Told::Words("a <Redirect> to the same page".into()),
        DeliveryKind::Refusal => Told::Words(status.to_string().into()),
        _ => Told::Answer(status, bytes),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
