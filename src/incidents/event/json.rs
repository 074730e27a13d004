//! The event as JSON.

use serde_json::{Value, json};

use super::{BodyShown, MAX_LINE, PREVIEW, described, other_findings};
use crate::guard::Outcome;
use crate::incidents::{Incident, redact};
use crate::telemetry::fields;
use crate::telemetry::log::json_line;
use crate::telemetry::settings::LogBody;
use crate::telemetry::visible::{visible, visible_bounded, visible_bytes};

impl Incident {
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
