//! The log event of one incident, for people and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Incident, redact};
use crate::guard::causes::Level;
use crate::guard::{AttemptReason, DeliveryKind, Finding, Judgement, Outcome, Verdict};
use crate::telemetry::fields;
use crate::telemetry::log::{human_level, json_line, now};
use crate::telemetry::settings::LogBody;
use crate::telemetry::visible::{visible, visible_bounded, visible_bytes};

/// Most bytes of one line: container runtimes split at 16 KiB.
const MAX_LINE: usize = 15 * 1024;
/// Most characters of a body for `log.body = "preview"`.
const PREVIEW: usize = 200;

/// What is printed of the original body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyShown {
    /// The body, as far as the settings allow.
    Itself,
    /// It was printed with this incident.
    AsIn(Uuid),
}

impl Incident {
    /// The event's level: INFO where nothing had to alarm anybody.
    pub fn level(&self) -> &'static str {
        let alarming =
            self.judgement.findings.iter().any(|finding| finding.cause.level == Level::Fault);
        if alarming || self.judgement.verdict == Verdict::Replaced { "WARN" } else { "INFO" }
    }

    /// The event's constant message.
    pub fn message(&self) -> &'static str {
        match (self.judgement.verdict, self.judgement.withheld.is_some()) {
            (Verdict::Untouched, _) => "untouched",
            (Verdict::Repaired, false) => "repaired",
            (Verdict::Repaired, true) => "would repair",
            (Verdict::Replaced, true) => "would replace",
            (Verdict::Replaced, false) if self.judgement.delivery.kind == DeliveryKind::Refusal => {
                "failed"
            }
            (Verdict::Replaced, false) => "replaced",
        }
    }

    /// The slug that it is counted under.
    pub fn cause(&self) -> &'static str {
        self.judgement.first_cause().map_or("", |cause| cause.slug)
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.exchange.request.params.get(name).filter(|value| !value.is_empty())
    }

    fn codes(&self) -> String {
        self.judgement.codes().iter().map(u32::to_string).collect::<Vec<_>>().join(",")
    }

    /// What left instead, or would have.
    fn delivered(&self) -> String {
        let enforced = self.judgement.withheld.as_ref().unwrap_or(&self.judgement.delivery);
        let what = match &enforced.kind {
            DeliveryKind::Empty => format!(
                "{} (nothing more to say)",
                if enforced.body.is_empty() { "204" } else { "<Response/>" }
            ),
            DeliveryKind::Fallback(name) => format!("fallback \"{}\"", visible(name)),
            DeliveryKind::Original => "the original".to_owned(),
            DeliveryKind::Redirect => "a TwiML <Redirect> to the target".to_owned(),
            DeliveryKind::Refusal => "502".to_owned(),
            DeliveryKind::Repaired => "the repaired document".to_owned(),
        };
        if self.judgement.withheld.is_some() {
            format!("the original (observing; would be {what})")
        } else {
            what
        }
    }

    /// The requests sent to the backend, where there was more than one.
    fn attempts(&self) -> Vec<String> {
        if self.exchange.attempts.len() < 2 {
            return Vec::new();
        }
        let shown = |attempt: &crate::guard::Attempt| {
            let why = match attempt.reason {
                AttemptReason::First => "",
                AttemptReason::OtherMethod => " (other method)",
                AttemptReason::Redirect => " (redirect)",
            };
            let status = attempt
                .status
                .map_or_else(|| "no answer".to_owned(), |status| status.as_u16().to_string());
            visible(&format!(
                "{} {}{why}: {status}",
                attempt.method,
                redact::target(&attempt.target)
            ))
            .into_owned()
        };
        self.exchange.attempts.iter().map(shown).collect()
    }

    /// For people: what happened, what the backend said, what to fix, how to find it again.
    pub fn human(&self, body: LogBody, shown: BodyShown, colours: bool) -> String {
        let request = &self.exchange.request;
        let path = request.target.split('?').next().unwrap_or_default();
        let mut head = format!(
            "{} {} {}  {} {}  slot={}  cause={}",
            now(),
            human_level(self.level(), colours),
            self.message(),
            request.method,
            visible(&redact::target(path)),
            self.exchange.slot,
            self.cause()
        );
        let codes = self.codes();
        if !codes.is_empty() {
            // Writing to a String can't fail.
            let _ = write!(head, "  twilio={codes}");
        }
        let mut lines = vec![head];
        lines.push(format!(
            "     backend {} in {} ms; delivered {}",
            self.backend(body, shown),
            self.upstream_duration.as_millis(),
            self.delivered()
        ));
        lines.extend(self.attempts().into_iter().map(|attempt| format!("     asked: {attempt}")));
        if let Some(finding) = self.judgement.findings.first() {
            let place = finding.place.map_or_else(String::new, |place| format!(" at {place}"));
            let evidence = visible_bounded(&redact::text(&finding.evidence), 160);
            lines.push(format!("     seen: {}{place}: {evidence}", finding.cause.explain));
            for finding in other_findings(&self.judgement) {
                lines.push(format!("     also: {}", described(finding)));
            }
            lines.push(format!("     fix: {}", finding.cause.remedy));
        }
        let mut ids = format!("     incident={}", self.id);
        for (name, value) in [
            ("call", self.param("CallSid")),
            ("message", self.param("MessageSid").or_else(|| self.param("SmsSid"))),
        ] {
            if let Some(value) = value {
                // Writing to a String can't fail.
                let _ = write!(ids, " {name}={}", visible(&redact::short_sid(value)));
            }
        }
        if let Some(from) = self.param("From") {
            // Writing to a String can't fail.
            let _ = write!(ids, " from={}", visible(&redact::param("From", from)));
        }
        lines.push(ids);
        cut(lines.join("\n"))
    }

    fn backend(&self, body: LogBody, shown: BodyShown) -> String {
        match &self.exchange.outcome {
            Outcome::Failed(_) => "gave no answer".to_owned(),
            Outcome::Answered(answer) => {
                let kind = answer.headers.get(http::header::CONTENT_TYPE).map_or_else(
                    || "without Content-Type".to_owned(),
                    |value| visible(&String::from_utf8_lossy(value.as_bytes())).into_owned(),
                );
                let quoted = match (body, shown) {
                    (LogBody::None, _) => String::new(),
                    (_, BodyShown::AsIn(id)) => format!(" (same body as incident {id})"),
                    (LogBody::Preview, _) => {
                        format!(" \"{}\"", visible_bytes(&self.masked_body(), PREVIEW))
                    }
                    (LogBody::Full, _) => {
                        format!(" \"{}\"", visible_bytes(&self.masked_body(), 2_000))
                    }
                };
                format!("answered {} {kind}{quoted}", answer.status.as_u16())
            }
        }
    }

    /// The decoded body, masked; bytes that are no text stay as they are.
    fn masked_body(&self) -> Vec<u8> {
        match std::str::from_utf8(&self.judgement.decoded) {
            Ok(text) => redact::text(text).into_bytes(),
            Err(_) => self.judgement.decoded.to_vec(),
        }
    }

    /// As one JSON object.
    pub fn json(&self, body: LogBody, shown: BodyShown) -> String {
        let request = &self.exchange.request;
        let judgement = &self.judgement;
        let path = request.target.split('?').next().unwrap_or_default();
        let mut own: Vec<(&str, Value)> = vec![
            (fields::INCIDENT, json!(self.id.to_string())),
            (fields::METHOD, json!(request.method.as_str())),
            (fields::PATH, json!(visible(&redact::target(path)))),
            (fields::ROUTE, json!(visible(&self.route.name))),
            (fields::SLOT, json!(self.exchange.slot.name())),
            (fields::CAUSE, json!(self.cause())),
            (
                fields::CAUSES,
                json!(
                    judgement.findings.iter().map(|finding| finding.cause.slug).collect::<Vec<_>>()
                ),
            ),
            (fields::TWILIO_CODE, json!(self.codes())),
        ];
        if let Some(finding) = judgement.findings.first() {
            own.push((fields::EXPLAIN, json!(finding.cause.explain)));
            own.push((
                fields::EVIDENCE,
                json!(visible_bounded(&redact::text(&finding.evidence), 300)),
            ));
            own.push((fields::FIX, json!(finding.cause.remedy)));
            if let Some(place) = finding.place {
                own.push((fields::PLACE, json!(place.to_string())));
            }
        }
        let rest: Vec<String> = other_findings(judgement).map(described).collect();
        if !rest.is_empty() {
            own.push((fields::ALSO, json!(rest)));
        }
        own.push((fields::DELIVERY, json!(self.delivered())));
        own.push((fields::DELIVERY_STATUS, json!(judgement.delivery.status.as_u16())));
        own.push((fields::OBSERVE, json!(judgement.withheld.is_some())));
        own.push((fields::BACKEND_DURATION, json!(self.upstream_duration.as_millis())));
        own.push((fields::BUDGET_LEFT, json!(self.budget_left.as_millis())));
        for (field, name) in [
            (fields::CALL_SID, "CallSid"),
            (fields::MESSAGE_SID, "MessageSid"),
            (fields::ACCOUNT_SID, "AccountSid"),
        ] {
            if let Some(value) = self.param(name) {
                own.push((field, json!(visible_bounded(value, 64))));
            }
        }
        for (field, name) in [(fields::FROM, "From"), (fields::TO, "To")] {
            if let Some(value) = self.param(name) {
                own.push((field, json!(visible_bounded(&redact::param(name, value), 64))));
            }
        }
        let attempts = self.attempts();
        if !attempts.is_empty() {
            own.push((fields::ATTEMPTS, json!(attempts)));
        }
        match &self.exchange.outcome {
            Outcome::Failed(_) => {
                let evidence = judgement
                    .findings
                    .first()
                    .map(|finding| visible_bounded(&redact::text(&finding.evidence), 300));
                own.push((fields::BACKEND_FAILURE, json!(evidence)));
            }
            Outcome::Answered(answer) => {
                own.push((fields::BACKEND_STATUS, json!(answer.status.as_u16())));
                let headers: Vec<String> = redact::headers(&answer.headers)
                    .iter()
                    .take(60)
                    .map(|(name, value)| visible_bounded(&format!("{name}: {value}"), 300))
                    .collect();
                own.push((fields::BACKEND_HEADERS, json!(bounded(headers, 4_096))));
                let shown = match (body, shown) {
                    (LogBody::None, _) => None,
                    (_, BodyShown::AsIn(id)) => Some(format!("same as incident {id}")),
                    (LogBody::Preview, _) => Some(visible_bytes(&self.masked_body(), PREVIEW)),
                    (LogBody::Full, _) => Some(visible_bytes(&self.masked_body(), 8_192)),
                };
                if let Some(shown) = shown {
                    own.push((fields::BACKEND_BODY, json!(shown)));
                }
            }
        }
        let line = |own: &[(&str, Value)]| {
            json_line(self.level(), self.message(), "twiml_guard::incidents", own)
        };
        let mut whole = line(&own);
        while whole.len() > MAX_LINE {
            // The body is what grows; halve what is shown of it until the line fits.
            let Some((_, Value::String(text))) =
                own.iter_mut().find(|(name, _)| *name == fields::BACKEND_BODY)
            else {
                break;
            };
            if text.len() < 64 {
                break;
            }
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            *text = format!(
                "{}… (cut, {} bytes in all)",
                half.trim_end_matches('…'),
                judgement.decoded.len()
            );
            whole = line(&own);
        }
        whole
    }
}

/// Every finding but the first, at most ten.
fn other_findings(judgement: &Judgement) -> impl Iterator<Item = &Finding> {
    judgement.findings.iter().skip(1).take(10)
}

/// A finding on one line: slug, place, evidence.
fn described(finding: &Finding) -> String {
    let place = finding.place.map_or_else(String::new, |place| format!(" at {place}"));
    let evidence = visible_bounded(&redact::text(&finding.evidence), 160);
    format!("{}{place}: {evidence}", finding.cause.slug)
}

/// As many of the lines as fit, in all, into `max` bytes.
fn bounded(lines: Vec<String>, max: usize) -> Vec<String> {
    let mut used = 0;
    lines
        .into_iter()
        .take_while(|line| {
            used += line.len();
            used <= max
        })
        .collect()
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_LINE {
        let end = (0..=MAX_LINE).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}
