//! The event for people: what happened, who is to blame and what to fix, what the backend said, how
//! to find it again.

use http::header::CONTENT_TYPE;

use super::body::Room;
use super::{BodyShown, MAX_LINE, Told, line};
use crate::guard::Outcome;
use crate::incidents::redact;
use crate::telemetry::log::{human_level, now};
use crate::telemetry::settings::LogBody;

/// Most characters of a body: more would hide the rest of a screen.
const MAX_CHARS: usize = 2_000;

impl Told<'_> {
    /// The event's lines, without the last line end.
    pub(in crate::incidents) fn human(
        &self,
        body: LogBody,
        shown: BodyShown,
        colours: bool,
    ) -> String {
        let mut head = format!(
            "{} {} {}  {} {}  slot={}  cause={}",
            now(),
            human_level(self.level(), colours),
            self.message(),
            line(self.exchange.request.method.as_str(), 20),
            self.path,
            self.exchange.slot,
            self.cause()
        );
        let codes = self.codes();
        if !codes.is_empty() {
            head.push_str("  twilio=");
            head.push_str(&codes);
        }
        head.push_str("\n     ");
        head.push_str(&self.summary);
        let mut after = format!(
            " in {} ms; delivered {}",
            self.upstream_duration.as_millis(),
            self.delivered()
        );
        for more in self.explanation().into_iter().chain([self.identity()]) {
            after.push_str("\n     ");
            after.push_str(&more);
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
            |value| line(self.redaction.masked(&String::from_utf8_lossy(value.as_bytes())), 120),
        );
        let quoted = match (shown, self.body(body, shown, room)) {
            (_, None) => String::new(),
            (BodyShown::AsIn(id), _) => format!(" (same body as incident {id})"),
            (BodyShown::Itself, Some(text)) => format!(" \"{text}\""),
        };
        format!("answered {} {kind}{quoted}", answer.status.as_u16())
    }

    /// Which requests were sent, what was seen.
    fn explanation(&self) -> Vec<String> {
        let mut lines: Vec<_> =
            self.attempts().into_iter().map(|attempt| format!("asked: {attempt}")).collect();
        if let Some(finding) = self.judgement.findings.first() {
            let place = finding.place.map_or_else(String::new, |place| format!(" at {place}"));
            let evidence = self.evidence(finding);
            lines.push(format!("seen: {}{place}: {evidence}", finding.cause.explain));
            lines.extend(self.also().into_iter().map(|finding| format!("also: {finding}")));
        }
        lines
    }

    fn identity(&self) -> String {
        let message = self.param("MessageSid").or_else(|| self.param("SmsSid"));
        let sid = |value: &str| line(redact::short_sid(value), 20);
        let parts = [
            Some(format!("incident={}", self.id)),
            self.param("CallSid").map(|value| format!("call={}", sid(&self.redaction.text(value)))),
            message.map(|value| format!("message={}", sid(&self.redaction.text(value)))),
            self.param("From").map(|from| {
                format!("from={}", line(self.redaction.masked_param("From", from), 96))
            }),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}
