//! The event as one JSON object.

use serde_json::{Value, json};

use super::body::Room;
use super::{BodyShown, MAX_LINE, TARGET, Told, fitting, line};
use crate::guard::{Answer, Outcome};
use crate::incidents::redact::Redaction;
use crate::telemetry::fields;
use crate::telemetry::log::{add_field, json_line};
use crate::telemetry::settings::LogBody;

/// Most bytes of all headers; fewer where escapes make the line long.
const MAX_HEADERS: [usize; 3] = [4_096, 1_024, 256];
/// Bytes that are kept for the body.
const LEAST_BODY: usize = 2_048;

/// Bytes for what stands around the body.
const SLACK: usize = 64;

/// Names and values.
pub(in crate::incidents) type Own = Vec<(&'static str, Value)>;

impl Told<'_> {
    /// The event, one line without its end.
    pub(in crate::incidents) fn json(&self, body: LogBody, shown: BodyShown) -> String {
        self.event(body, shown).1
    }

    /// The event's own fields, masked; in all they fit one line.
    pub(in crate::incidents) fn fields(&self, body: LogBody, shown: BodyShown) -> Own {
        self.event(body, shown).0
    }

    /// The event's own fields and its line, which tells how much of the body has room.
    fn event(&self, body: LogBody, shown: BodyShown) -> (Own, String) {
        let mut own = self.request_fields();
        own.extend(self.role_fields());
        own.extend(self.finding_fields());
        own.extend([
            (fields::DELIVERY, self.delivered().into()),
            (fields::DELIVERY_STATUS, json!(self.judgement.delivery.status.as_u16())),
            (fields::OBSERVE, json!(self.judgement.withheld.is_some())),
            (fields::BACKEND_DURATION, json!(self.upstream_duration.as_millis())),
            (fields::BUDGET_LEFT, json!(self.budget_left.as_millis())),
        ]);
        own.extend(self.call_fields());
        let attempts = self.attempts();
        if !attempts.is_empty() {
            own.push((fields::ATTEMPTS, attempts.into()));
        }
        let whole = |own: &Own| json_line(self.level(), self.message(), TARGET, own);
        let line = match &self.exchange.outcome {
            Outcome::Failed(_) => {
                let evidence = self.judgement.findings.first().map(|f| self.evidence(f));
                own.push((fields::BACKEND_FAILURE, json!(evidence)));
                whole(&own)
            }
            Outcome::Answered(answer) => {
                own.push((fields::BACKEND_STATUS, json!(answer.status.as_u16())));
                let mut line = String::new();
                for most in MAX_HEADERS {
                    own.retain(|(name, _)| *name != fields::BACKEND_HEADERS);
                    let headers = headers(&self.redaction, answer, most);
                    own.push((fields::BACKEND_HEADERS, headers.into()));
                    line = whole(&own);
                    if line.len() + SLACK + LEAST_BODY <= MAX_LINE {
                        break;
                    }
                }
                let room = MAX_LINE.saturating_sub(line.len() + SLACK);
                let room = Room { chars: usize::MAX, bytes: room, escaped: true };
                if let Some(body) = self.body(body, shown, room) {
                    let body = Value::from(body);
                    add_field(&mut line, fields::BACKEND_BODY, &body);
                    own.push((fields::BACKEND_BODY, body));
                }
                line
            }
        };
        (own, line)
    }

    fn request_fields(&self) -> Own {
        vec![
            (fields::SUMMARY, self.summary.as_str().into()),
            (fields::INCIDENT, self.id.to_string().into()),
            (fields::METHOD, line(self.exchange.request.method.as_str(), 20).into()),
            (fields::PATH, self.path.as_str().into()),
            (fields::ROUTE, line(&self.route.name, 256).into()),
            (fields::SLOT, self.exchange.slot.name().into()),
            (fields::CAUSE, self.cause().into()),
            (fields::CAUSES, self.causes().into()),
            (fields::TWILIO_CODE, self.codes().into()),
        ]
    }

    /// As what Twilio asked, how that is known, and what is known of the call.
    fn role_fields(&self) -> Own {
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let all = [
            (fields::ROLE, text(&self.role)),
            (fields::PARENT, text(&self.parent)),
            (fields::BELIEF, Some(self.exchange.call.role.belief.name().into())),
            (fields::CALL_STATUS, text(&self.call_status)),
            (fields::CALL_STREAM, text(&self.stream)),
            (fields::SIGNATURE, Some(self.signature.as_str().into())),
            (
                fields::KNOWN_ROUTES,
                (self.is_stray() && !self.known.is_empty()).then(|| json!(self.known)),
            ),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn finding_fields(&self) -> Own {
        let Some(finding) = self.judgement.findings.first() else { return Own::new() };
        let mut own = vec![
            (fields::EXPLAIN, finding.cause.explain.into()),
            (fields::EVIDENCE, line(&self.seen, 400).into()),
            (fields::FIX, finding.cause.remedy.into()),
        ];
        if let Some(place) = finding.place {
            own.push((fields::PLACE, place.to_string().into()));
        }
        let also = self.also();
        if !also.is_empty() {
            own.push((fields::ALSO, also.into()));
        }
        own
    }

    fn call_fields(&self) -> Own {
        let sid = |sid: &Option<String>| sid.as_deref().map(|sid| line(sid, 96));
        let whole = |name| self.param(name).map(|value| line(self.redaction.masked(value), 96));
        let masked =
            |name| self.param(name).map(|value| line(self.redaction.masked_param(name, value), 96));
        [
            (fields::CALL_SID, sid(&self.call_sid)),
            (fields::MESSAGE_SID, sid(&self.message_sid)),
            (fields::ACCOUNT_SID, whole("AccountSid")),
            (fields::FROM, masked("From")),
            (fields::TO, masked("To")),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?.into())))
        .collect()
    }
}

/// As many headers as fit into so many bytes.
fn headers(redaction: &Redaction, answer: &Answer, max: usize) -> Vec<String> {
    let shown = |name: &str, value: &str| match value {
        "" => line(name, 300),
        value => line([name, ": ", value].concat(), 300),
    };
    // The odd ones first: they are what the record is for.
    let odd = redaction.odd_lines(&answer.odd);
    let odd = odd.iter().map(|(name, value)| shown(name, value));
    let sound = answer.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        shown(name.as_str(), &redaction.header(name.as_str(), &value))
    });
    fitting(odd.chain(sound), max)
}
