//! The event as one JSON object.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::body::Room;
use super::{BodyShown, MAX_LINE, TARGET, Told, fitting, line, lined};
use crate::guard::{Answer, Outcome};
use crate::incidents::redact::Redaction;
use crate::telemetry::fields;
use crate::telemetry::json::Shown;
use crate::telemetry::log::{add_field, json_line};
use crate::telemetry::settings::LogBody;

/// Most bytes of all headers; fewer where escapes make the line long.
const MAX_HEADERS: [usize; 3] = [4_096, 1_024, 256];
/// Bytes that are kept for the body.
const LEAST_BODY: usize = 2_048;

/// Bytes for what stands around the body.
const SLACK: usize = 64;

/// Names and values.
type Own<'t> = Vec<(&'static str, Shown<'t>)>;

impl Told<'_> {
    /// The event, one line without its end.
    pub(in crate::incidents) fn json(&self, body: LogBody, shown: BodyShown) -> String {
        self.event(body, shown).1
    }

    /// The event's own fields, masked; in all they fit one line.
    pub(in crate::incidents) fn fields(
        &self,
        body: LogBody,
        shown: BodyShown,
    ) -> Vec<(&'static str, Value)> {
        let own = self.event(body, shown).0;
        own.into_iter().map(|(name, shown)| (name, shown.into())).collect()
    }

    /// The event's own fields and its line, which tells how much of the body has room.
    fn event(&self, body: LogBody, shown: BodyShown) -> (Own<'_>, String) {
        let mut own = Own::with_capacity(40);
        self.add_request(&mut own);
        self.add_role(&mut own);
        self.add_finding(&mut own);
        own.extend([
            (fields::DELIVERY, self.delivered().into()),
            (fields::DELIVERY_STATUS, status(self.judgement.delivery.status)),
            (fields::OBSERVE, Shown::Truth(self.judgement.withheld.is_some())),
            (fields::BACKEND_DURATION, millis(self.upstream_duration)),
            (fields::BUDGET_LEFT, millis(self.budget_left)),
        ]);
        self.add_call(&mut own);
        let attempts = self.attempts();
        if !attempts.is_empty() {
            own.push((fields::ATTEMPTS, texts(attempts)));
        }
        let whole = |own: &Own<'_>| json_line(self.level(), self.message(), TARGET, own);
        let line = match &self.exchange.outcome {
            Outcome::Failed(_) => {
                let evidence = self.judgement.findings.first().map(|f| self.evidence(f));
                own.push((fields::BACKEND_FAILURE, evidence.map_or(Shown::Nothing, Shown::from)));
                whole(&own)
            }
            Outcome::Answered(answer) => {
                own.push((fields::BACKEND_STATUS, status(answer.status)));
                let mut line = String::new();
                for most in MAX_HEADERS {
                    own.retain(|(name, _)| *name != fields::BACKEND_HEADERS);
                    let headers = headers(&self.redaction, answer, most);
                    own.push((fields::BACKEND_HEADERS, texts(headers)));
                    line = whole(&own);
                    if line.len() + SLACK + LEAST_BODY <= MAX_LINE {
                        break;
                    }
                }
                let room = MAX_LINE.saturating_sub(line.len() + SLACK);
                let room = Room { chars: usize::MAX, bytes: room, escaped: true };
                if let Some(body) = self.body(body, shown, room) {
                    let body = Shown::from(body);
                    add_field(&mut line, fields::BACKEND_BODY, &body);
                    own.push((fields::BACKEND_BODY, body));
                }
                line
            }
        };
        (own, line)
    }

    fn add_request<'t>(&'t self, own: &mut Own<'t>) {
        own.extend([
            (fields::SUMMARY, self.summary.as_str().into()),
            (fields::INCIDENT, self.id.to_string().into()),
            (fields::METHOD, lined(self.exchange.request.method.as_str(), 20).into()),
            (fields::PATH, self.path.as_str().into()),
            (fields::ROUTE, lined(self.route.name.as_str(), 256).into()),
            (fields::SLOT, self.exchange.slot.name().into()),
            (fields::CAUSE, self.cause().into()),
            (fields::CAUSES, texts(self.causes())),
            (fields::TWILIO_CODE, self.codes().into()),
        ]);
    }

    /// As what Twilio asked, how that is known, and what is known of the call.
    fn add_role<'t>(&'t self, own: &mut Own<'t>) {
        fn given(text: Option<&String>) -> Option<Shown<'_>> {
            text.map(|text| text.as_str().into())
        }
        let known = || texts(self.known.iter().map(String::as_str));
        let all = [
            (fields::ROLE, given(self.role.as_ref())),
            (fields::PARENT, given(self.parent.as_ref())),
            (fields::BELIEF, Some(self.exchange.call.role.belief.name().into())),
            (fields::CALL_STATUS, given(self.call_status.as_ref())),
            (fields::CALL_STREAM, given(self.stream.as_ref())),
            (fields::SIGNATURE, Some(self.signature.as_str().into())),
            (fields::KNOWN_ROUTES, (!self.known.is_empty() && self.is_stray()).then(known)),
        ];
        own.extend(all.into_iter().filter_map(|(name, value)| Some((name, value?))));
    }

    fn add_finding<'t>(&'t self, own: &mut Own<'t>) {
        let Some(finding) = self.judgement.findings.first() else { return };
        own.extend([
            (fields::EXPLAIN, finding.cause.explain.into()),
            (fields::EVIDENCE, lined(self.seen.as_str(), 400).into()),
            (fields::FIX, finding.cause.remedy.into()),
        ]);
        if let Some(place) = finding.place {
            own.push((fields::PLACE, place.to_string().into()));
        }
        let also = self.also();
        if !also.is_empty() {
            own.push((fields::ALSO, texts(also)));
        }
    }

    fn add_call<'t>(&'t self, own: &mut Own<'t>) {
        fn sid(sid: Option<&String>) -> Option<Cow<'_, str>> {
            sid.map(|sid| lined(sid.as_str(), 96))
        }
        let whole = |name| self.param(name).map(|value| lined(self.redaction.masked(value), 96));
        let masked = |name| {
            self.param(name).map(|value| lined(self.redaction.masked_param(name, value), 96))
        };
        let all = [
            (fields::CALL_SID, sid(self.call_sid.as_ref())),
            (fields::MESSAGE_SID, sid(self.message_sid.as_ref())),
            (fields::ACCOUNT_SID, whole("AccountSid")),
            (fields::FROM, masked("From")),
            (fields::TO, masked("To")),
        ];
        own.extend(all.into_iter().filter_map(|(field, value)| Some((field, value?.into()))));
    }
}

fn texts<'t, T: Into<Cow<'t, str>>>(all: impl IntoIterator<Item = T>) -> Shown<'t> {
    Shown::Texts(all.into_iter().map(Into::into).collect())
}

fn status<'t>(status: StatusCode) -> Shown<'t> {
    Shown::Number(status.as_u16().into())
}

fn millis<'t>(duration: Duration) -> Shown<'t> {
    Shown::Number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
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
