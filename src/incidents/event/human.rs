//! The event for people.

use std::fmt::Write as _;

use super::{BodyShown, MAX_LINE, PREVIEW, described, other_findings};
use crate::guard::Outcome;
use crate::incidents::{Incident, redact};
use crate::telemetry::log::{human_level, now};
use crate::telemetry::settings::LogBody;
use crate::telemetry::visible::{visible, visible_bounded, visible_bytes};

impl Incident {
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
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_LINE {
        let end = (0..=MAX_LINE).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}
