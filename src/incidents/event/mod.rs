//! The log event of one incident, for people and as JSON.

mod human;
mod json;

use uuid::Uuid;

use super::{Incident, redact};
use crate::guard::causes::Level;
use crate::guard::{AttemptReason, DeliveryKind, Finding, Judgement, Verdict};
use crate::telemetry::visible::{visible, visible_bounded};

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

    /// The decoded body, masked; bytes that are no text stay as they are.
    fn masked_body(&self) -> Vec<u8> {
        match std::str::from_utf8(&self.judgement.decoded) {
            Ok(text) => redact::text(text).into_bytes(),
            Err(_) => self.judgement.decoded.to_vec(),
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method, StatusCode};

    use super::*;
    use crate::config::Upstream;
    use crate::config::route::{PathPattern, Route};
    use crate::guard::{
        Answer, BodyEnd, CallFacts, Exchange, Outcome, Policy, RequestFacts, judge,
    };
    use crate::telemetry::settings::LogBody;
    use crate::twilio::{Params, Slot, SlotSetting};

    fn incident(status: u16, kind: &'static str, body: &[u8], policy: Policy) -> Incident {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(kind));
        headers.insert("set-cookie", HeaderValue::from_static("sid=hush-hush"));
        let params = b"CallSid=CA0123456789abcdef0123456789abcdef&From=%2B972501234724&Digits=8642";
        let exchange = Exchange {
            slot: Slot::Voice,
            request: RequestFacts {
                method: Method::POST,
                target: "/webhook/incoming_call?token=hush-hush".to_owned(),
                host: None,
                has_authorization: false,
                params: Params::from_form(params),
                body: Bytes::new(),
            },
            attempts: Vec::new(),
            outcome: Outcome::Answered(Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                body: Bytes::copy_from_slice(body),
                end: BodyEnd::Complete,
            }),
            elapsed: Duration::ZERO,
            call: CallFacts::default(),
        };
        let judgement = judge(&exchange, &policy);
        Incident {
            id: Uuid::nil(),
            time_ms: 0,
            route: Arc::new(Route {
                name: "/webhook/incoming_call".to_owned(),
                pattern: PathPattern::Exact("/webhook/incoming_call".to_owned()),
                method: None,
                slot: SlotSetting::Auto,
                upstream: Upstream { host: "127.0.0.1".to_owned(), port: 5000 },
                policy: Arc::new(policy),
            }),
            exchange: Arc::new(exchange),
            judgement: Arc::new(judgement),
            upstream_duration: Duration::from_millis(184),
            budget_left: Duration::from_secs(12),
        }
    }

    const PAGE: &[u8] =
        b"<title>OperationalError</title><p>password=hush-hush, call +15550104477</p>";

    #[test]
    fn people_see_what_the_backend_did_and_what_to_fix() {
        let shown = incident(500, "text/html", PAGE, Policy::default()).human(
            LogBody::Full,
            BodyShown::Itself,
            false,
        );
        let (_, shown) = shown.split_once(' ').unwrap();
        assert_eq!(
            shown,
            "WARN  replaced  POST /webhook/incoming_call  slot=voice  cause=html-page  twilio=12100,11200,11217\n     \
             backend answered 500 text/html \"<title>OperationalError</title><p>password=***, call +1555…4477</p>\" in 184 ms; delivered fallback \"voice\"\n     \
             seen: a web page instead of TwiML at line 1 column 1: OperationalError\n     \
             also: server-error: status 500 Internal Server Error\n     \
             fix: this route's error handler returns a web page; return TwiML from it (Flask: @app.errorhandler)\n     \
             incident=00000000-0000-0000-0000-000000000000 call=CA…cdef from=+9725…4724"
        );
    }

    #[test]
    fn no_secret_no_number_and_no_digit_of_a_caller_is_in_a_line() {
        let incident = incident(500, "text/html", PAGE, Policy::default());
        for body in [LogBody::Full, LogBody::Preview, LogBody::None] {
            let lines = [
                incident.human(body, BodyShown::Itself, true),
                incident.json(body, BodyShown::Itself),
            ];
            for line in lines {
                for secret in ["hush-hush", "972501234724", "5550104477", "8642"] {
                    assert!(!line.contains(secret), "{secret}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_never_split_by_a_container_runtime() {
        for body in ["x".repeat(1 << 20), "\u{1}\"".repeat(1 << 18), "ש".repeat(1 << 19)] {
            let incident = incident(200, "text/html", body.as_bytes(), Policy::default());
            let json = incident.json(LogBody::Full, BodyShown::Itself);
            assert!(json.len() < 16 * 1024 && !json.contains('\n'), "{}", json.len());
            assert!(incident.human(LogBody::Full, BodyShown::Itself, false).len() < 16 * 1024);
            serde_json::from_str::<serde_json::Value>(&json).unwrap();
        }
    }

    #[test]
    fn observing_says_what_it_would_have_done() {
        let policy = Policy { observe: true, ..Policy::default() };
        let incident = incident(500, "text/html", PAGE, policy);
        assert_eq!(incident.message(), "would replace");
        assert!(incident.json(LogBody::None, BodyShown::Itself).contains("\"observe\":true"));
    }

    #[test]
    fn fit_twiml_as_html_alarms_nobody() {
        let twiml = b"<Response><Say>hi</Say></Response>";
        let incident = incident(200, "text/html", twiml, Policy::default());
        assert_eq!((incident.level(), incident.message()), ("INFO", "repaired"));
    }

    #[test]
    fn the_same_body_is_named_by_its_incident() {
        let incident = incident(500, "text/html", PAGE, Policy::default());
        let line = incident.json(LogBody::Full, BodyShown::AsIn(Uuid::nil()));
        assert!(
            line.contains("same as incident 00000000")
                && !line.contains("OperationalError</title>")
        );
    }
}
