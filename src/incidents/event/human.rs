//! The event for people: what happened, what the backend said, what to fix, how to find it again.

use http::header::CONTENT_TYPE;

use super::body::Room;
use super::{BodyShown, Incident, MAX_LINE};
use crate::guard::Outcome;
use crate::incidents::redact;
use crate::telemetry::log::{human_level, now};
use crate::telemetry::settings::LogBody;
use crate::telemetry::visible::visible_bounded;

/// Most characters of a body: more would hide the rest of a screen.
const MAX_CHARS: usize = 2_000;

impl Incident {
    /// The event's lines, without the last line end.
    pub fn human(&self, body: LogBody, shown: BodyShown, colours: bool) -> String {
        let mut head = format!(
            "{} {} {}  {} {}  slot={}  cause={}",
            now(),
            human_level(self.level(), colours),
            self.message(),
            visible_bounded(self.exchange.request.method.as_str(), 20),
            self.path(),
            self.exchange.slot,
            self.cause()
        );
        let codes = self.codes();
        if !codes.is_empty() {
            head.push_str("  twilio=");
            head.push_str(&codes);
        }
        let mut after = format!(
            " in {} ms; delivered {}",
            self.upstream_duration.as_millis(),
            self.delivered()
        );
        for line in self.explanation().into_iter().chain([self.identity()]) {
            after.push_str("\n     ");
            after.push_str(&line);
        }
        let taken = head.len() + after.len() + 1_024;
        let room = Room { chars: MAX_CHARS, bytes: MAX_LINE.saturating_sub(taken), escaped: false };
        format!("{head}\n     backend {}{after}", self.backend(body, shown, room))
    }

    fn backend(&self, body: LogBody, shown: BodyShown, room: Room) -> String {
        let Outcome::Answered(answer) = &self.exchange.outcome else {
            return "gave no answer".to_owned();
        };
        let kind = answer.headers.get(CONTENT_TYPE).map_or_else(
            || "without Content-Type".to_owned(),
            |value| visible_bounded(&String::from_utf8_lossy(value.as_bytes()), 80),
        );
        let quoted = match (self.body(body, shown, room), shown) {
            (None, _) => String::new(),
            (Some(text), BodyShown::AsIn(_)) => format!(" ({text})"),
            (Some(text), BodyShown::Itself) => format!(" \"{text}\""),
        };
        format!("answered {} {kind}{quoted}", answer.status.as_u16())
    }

    /// Which requests were sent, what was seen, what to fix.
    fn explanation(&self) -> Vec<String> {
        let mut lines: Vec<_> =
            self.attempts().into_iter().map(|attempt| format!("asked: {attempt}")).collect();
        if let Some(finding) = self.judgement.findings.first() {
            let place = finding.place.map_or_else(String::new, |place| format!(" at {place}"));
            let evidence = self.evidence(finding);
            lines.push(format!("seen: {}{place}: {evidence}", finding.cause.explain));
            let more = self.causes().split_off(1);
            if !more.is_empty() {
                lines.push(format!("also: {}", more.join(", ")));
            }
            lines.push(format!("fix: {}", finding.cause.remedy));
        }
        lines
    }

    fn identity(&self) -> String {
        let message = self.param("MessageSid").or_else(|| self.param("SmsSid"));
        let sid = |value: &str| visible_bounded(&redact::short_sid(value), 20);
        let parts = [
            Some(format!("incident={}", self.id)),
            self.param("CallSid").map(|value| format!("call={}", sid(value))),
            message.map(|value| format!("message={}", sid(value))),
            self.param("From")
                .map(|from| format!("from={}", visible_bounded(&redact::param("From", from), 64))),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
