//! From an incident to its record: masked, bounded.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;

use super::{
    AnswerRecord, AttemptRecord, BodyRecord, DeliveryRecord, FindingRecord, ParamRecord,
    PlaceRecord, Record, RequestRecord, Row,
};
use crate::config::Capture;
use crate::guard::media::ContentType;
use crate::guard::{Answer, Attempt, BodyEnd, Delivery, DeliveryKind, Finding, Outcome, charset};
use crate::incidents::Incident;
use crate::incidents::event::Told;
use crate::incidents::redact::{Redaction, with_escapes};
use crate::telemetry::visible::visible;

/// Most bytes of a body that are kept: a document may have 64 kB, a page is told by its beginning.
const MAX_BODY: usize = 128 * 1024;
/// Most bytes of a body that was followed by another answer.
const MAX_EARLIER_BODY: usize = 16 * 1024;
/// Most bytes of a path, and of a target.
const MAX_TARGET: usize = 4 * 1024;
/// Most headers, parameters and findings.
pub(in crate::incidents) const MAX_ENTRIES: usize = 300;
/// Most bytes of one header's, parameter's or finding's text.
const MAX_TEXT: usize = 8 * 1024;

impl Row {
    /// What every incident keeps.
    pub(in crate::incidents) fn of(incident: &Told<'_>) -> Self {
        let request = &incident.exchange.request;
        let path = request.target.split('?').next().unwrap_or_default();
        Self {
            id: incident.id,
            time_ms: incident.time_ms,
            route: incident.route.name.clone(),
            slot: incident.exchange.slot.name().to_owned(),
            method: short(request.method.as_str()),
            path: cut(&incident.redaction.masked_target(path), MAX_TARGET).into_owned(),
            call_sid: incident.call_sid.as_deref().map(short),
            message_sid: incident.message_sid.as_deref().map(short),
            role: incident.role.clone(),
            parent: incident.parent.clone(),
            belief: Some(incident.exchange.call.role.belief.name().to_owned()),
            call_status: incident.call_status.clone(),
            stream: incident.stream.clone(),
            signature: Some(incident.signature.clone()),
            summary: Some(incident.summary.clone()),
            outcome: incident.outcome().to_owned(),
            observe: incident.judgement.withheld.is_some(),
            cause: incident.cause().to_owned(),
            causes: incident.causes().into_iter().map(str::to_owned).collect(),
            codes: incident.codes.clone(),
            upstream_ms: millis(incident.upstream_duration),
            budget_left_ms: millis(incident.budget_left),
        }
    }
}

impl Record {
    /// The whole record; masked as far as `capture` says.
    pub fn of(incident: &Incident, row: Row, capture: Capture) -> Self {
        Maker { incident, redaction: incident.redaction.with(capture) }.record(row)
    }
}

struct Maker<'i> {
    incident: &'i Incident,
    redaction: Redaction,
}

impl Maker<'_> {
    fn record(&self, row: Row) -> Record {
        let incident = self.incident;
        let judgement = &incident.judgement;
        Record {
            row,
            findings: judgement
                .findings
                .iter()
                .take(MAX_ENTRIES)
                .map(|f| self.finding(f))
                .collect(),
            request: self.request(),
            attempts: self.attempts(),
            failure: match &incident.exchange.outcome {
                Outcome::Failed(_) => judgement.findings.first().map(|f| self.echoed(&f.evidence)),
                Outcome::Answered(_) => None,
            },
            delivery: self.delivery(&judgement.delivery),
            withheld: judgement.withheld.as_ref().map(|delivery| self.delivery(delivery)),
            upstream: incident.upstream.clone(),
            guard_version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: incident.config_hash.to_string(),
            capture: self.redaction.capture().name().to_owned(),
        }
    }

    fn finding(&self, finding: &Finding) -> FindingRecord {
        FindingRecord {
            cause: finding.cause.slug.to_owned(),
            place: finding.place.map(|place| PlaceRecord {
                offset: place.offset,
                line: place.line,
                column: place.column,
            }),
            evidence: self.echoed(&finding.evidence),
            repair: finding.repair.map(|grade| grade.name().to_owned()),
        }
    }

    /// What a backend said, masked.
    fn echoed(&self, text: &str) -> String {
        cut(&self.redaction.text(text), MAX_TEXT).into_owned()
    }

    fn request(&self) -> RequestRecord {
        let request = &self.incident.exchange.request;
        let param = |(name, value): (&str, &str)| {
            let shown = self.redaction.param(name, value);
            let shown = cut(&shown, MAX_TEXT).into_owned();
            ParamRecord {
                name: short(&self.redaction.name(name, value)),
                masked: shown != value
                    || (value.is_empty() && self.redaction.name(name, value) != name),
                value: shown,
            }
        };
        RequestRecord {
            target: cut(&self.redaction.target(&request.target), MAX_TARGET).into_owned(),
            params: request.params.iter().take(MAX_ENTRIES).map(param).collect(),
            body_bytes: request.body.len(),
        }
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        bounded(self.redaction.headers(headers))
    }

    /// All lines of a head; first those that no HTTP reader takes, with what is unseen made visible.
    fn head(&self, answer: &Answer) -> Vec<(String, String)> {
        let odd = self.redaction.odd_lines(&answer.odd).into_iter();
        let seen = |(name, value): (String, String)| {
            (visible(&name).into_owned(), visible(&value).into_owned())
        };
        bounded(odd.map(seen).chain(self.redaction.headers(&answer.headers)).collect())
    }

    fn attempts(&self) -> Vec<AttemptRecord> {
        let exchange = &self.incident.exchange;
        let last = exchange.attempts.len().saturating_sub(1);
        let attempts = exchange.attempts.iter().enumerate();
        attempts
            .map(|(at, attempt)| {
                let mut record = self.attempt(attempt);
                let sent = self.incident.sent.get(at);
                if let Some(sent) = sent {
                    record.headers = self.headers(&sent.headers);
                    record.body_bytes = sent.body_bytes;
                    record.started_ms = millis(sent.started);
                    record.connect_ms = millis(sent.connect);
                    record.first_byte_ms = sent.first_byte.map(millis);
                    record.total_ms = millis(sent.total);
                }
                record.answer =
                    match (&exchange.outcome, sent.and_then(|sent| sent.answer.as_ref())) {
                        (Outcome::Answered(answer), _) if at == last => {
                            Some(self.answer(answer, &self.incident.judgement.decoded, MAX_BODY))
                        }
                        (_, Some(answer)) => {
                            Some(self.answer(answer, &answer.body, MAX_EARLIER_BODY))
                        }
                        _ => None,
                    };
                record
            })
            .collect()
    }

    fn attempt(&self, attempt: &Attempt) -> AttemptRecord {
        AttemptRecord {
            method: short(attempt.method.as_str()),
            target: cut(&self.redaction.target(&attempt.target), MAX_TARGET).into_owned(),
            reason: attempt.reason.name().to_owned(),
            headers: Vec::new(),
            body_bytes: 0,
            started_ms: 0,
            connect_ms: 0,
            first_byte_ms: None,
            total_ms: 0,
            answer: None,
        }
    }

    fn answer(&self, answer: &Answer, decoded: &Bytes, most: usize) -> AnswerRecord {
        let label =
            ContentType::of(&answer.headers).media().and_then(|media| media.charset.clone());
        AnswerRecord {
            status: answer.status.as_u16(),
            headers: self.head(answer),
            body: self.body(decoded, label.as_deref(), most),
            end: match &answer.end {
                BodyEnd::Complete => "complete".to_owned(),
                BodyEnd::TooLarge { limit } => {
                    format!("larger than {limit} bytes, the rest was not read")
                }
                BodyEnd::TooLate => "cut: the budget ran out".to_owned(),
                BodyEnd::Truncated { detail } => {
                    cut(&format!("cut: {detail}"), MAX_TEXT).into_owned()
                }
            },
        }
    }

    fn delivery(&self, delivery: &Delivery) -> DeliveryRecord {
        let (kind, fallback) = match &delivery.kind {
            DeliveryKind::Empty => ("empty", None),
            DeliveryKind::Fallback(name) => ("fallback", Some(short(name))),
            DeliveryKind::Original => ("original", None),
            DeliveryKind::Redirect => ("redirect", None),
            DeliveryKind::Refusal => ("refusal", None),
            DeliveryKind::Repaired => ("repaired", None),
        };
        let label =
            ContentType::of(&delivery.headers).media().and_then(|media| media.charset.clone());
        DeliveryRecord {
            status: delivery.status.as_u16(),
            headers: self.headers(&delivery.headers),
            body: self.body(&delivery.body, label.as_deref(), MAX_BODY),
            kind: kind.to_owned(),
            fallback,
        }
    }

    fn body(&self, body: &Bytes, label: Option<&str>, most: usize) -> BodyRecord {
        let text = as_text(body, label);
        // What stands behind the cut is needed to mask what stands before it.
        let (kept, whole) = match cut(&text, most) {
            Cow::Borrowed(whole) => (whole.to_owned(), true),
            Cow::Owned(piece) => (piece, false),
        };
        let bytes = body.get(..most).unwrap_or(body);
        let mut shown = self.redaction.read(&kept, bytes);
        let masked = shown != kept;
        if !whole {
            // A number or a secret at the cut was not seen whole.
            let end = shown.trim_end_matches(|c: char| !c.is_whitespace()).len();
            let end = end.max(shown.len().saturating_sub(1_024));
            shown.truncate((0..=end).rev().find(|&at| shown.is_char_boundary(at)).unwrap_or(0));
        }
        let full = self.redaction.capture() == Capture::Full;
        BodyRecord {
            text: shown,
            bytes: body.len(),
            cut: !whole,
            masked,
            // Bytes can't be masked: where something was, they are not kept.
            base64: (full && !masked && std::str::from_utf8(body).is_err())
                .then(|| STANDARD.encode(bytes)),
        }
    }
}

/// A body as text: by its charset, else bytes that are no UTF-8 as `\xNN`.
fn as_text<'b>(body: &'b [u8], label: Option<&str>) -> Cow<'b, str> {
    if let Ok(text) = std::str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    if let Ok(decoded) = charset::decode(body, label) {
        return Cow::Owned(decoded.text.into_owned());
    }
    Cow::Owned(with_escapes(body))
}

/// The text up to so many bytes; owned if something was cut.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
    Cow::Owned(text.get(..end).unwrap_or_default().to_owned())
}

fn short(text: &str) -> String {
    cut(text, 256).into_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// As many headers, and as much of each, as a record holds.
fn bounded(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.truncate(MAX_ENTRIES);
    for text in headers.iter_mut().flat_map(|(name, value)| [name, value]) {
        if let Cow::Owned(shorter) = cut(text, MAX_TEXT) {
            *text = shorter;
        }
    }
    headers
}
