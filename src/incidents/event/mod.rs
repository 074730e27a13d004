//! The log event of one incident, for people and as JSON.

mod blame;
mod body;
mod human;
mod json;
mod told;

use std::borrow::Cow;

use uuid::Uuid;

use super::Incident;
use crate::guard::causes::Level;
use crate::guard::{Attempt, AttemptReason, DeliveryKind, Finding, Outcome, Verdict};
use crate::telemetry::visible::bounded;
use crate::twilio::{Slot, call};

pub(super) use blame::fell_back;
pub(super) use told::Told;

/// The target of every incident's event.
pub const TARGET: &str = "twiml_guard::incidents";
/// Most bytes of one event: container runtimes split lines at 16 KiB.
const MAX_LINE: usize = 15 * 1024;
/// Most findings besides the first.
const MORE: usize = 10;

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
        if self.is_harmless() {
            return "INFO";
        }
        let alarming =
            self.judgement.findings.iter().any(|finding| finding.cause.level == Level::Fault);
        if alarming || self.judgement.verdict == Verdict::Replaced { "WARN" } else { "INFO" }
    }

    /// The event's constant message.
    pub fn message(&self) -> &'static str {
        match (self.judgement.verdict, self.judgement.withheld.is_some()) {
            (Verdict::Untouched, _) if self.is_failed_stream() => "stream failed",
            (Verdict::Untouched, _) => "untouched",
            (Verdict::Repaired, false) if self.exchange.call.acknowledged.is_some() => {
                "acknowledged"
            }
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

    /// Whether an empty answer came to an action of a call that was over: Twilio logs nothing then
    /// (seen on 121 of 121 such calls of one team).
    pub(super) fn is_harmless(&self) -> bool {
        let is_empty = self
            .judgement
            .first_cause()
            .is_some_and(|cause| matches!(cause.slug, "no-content" | "empty-body"));
        is_empty
            && self.exchange.slot == Slot::Action
            && call::is_over(&self.exchange.request.params)
            && matches!(&self.exchange.outcome, Outcome::Answered(answer) if answer.status.is_success())
    }

    /// Whether a stream failed: nothing could be delivered in its place.
    pub(super) fn is_failed_stream(&self) -> bool {
        let is_fault = |finding: &Finding| finding.cause.level == Level::Fault;
        self.exchange.slot == Slot::Stream && self.judgement.findings.iter().any(is_fault)
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.exchange.request.params.get(name).filter(|value| !value.is_empty())
    }

    /// The request's path, masked, one line.
    fn path(&self) -> String {
        let path = self.exchange.request.target.split('?').next().unwrap_or_default();
        line(self.redaction.masked_target(path), 512)
    }

    /// The slugs of all findings, no doubles.
    pub(super) fn causes(&self) -> Vec<&'static str> {
        let mut slugs = Vec::new();
        for finding in &self.judgement.findings {
            if !slugs.contains(&finding.cause.slug) {
                slugs.push(finding.cause.slug);
            }
        }
        slugs
    }

    /// What was seen, masked, one line.
    fn evidence(&self, finding: &Finding) -> String {
        line(self.redaction.masked(&finding.evidence), 400)
    }

    /// Findings but the first, one line each: slug, place, evidence.
    fn also(&self) -> Vec<String> {
        let described = |finding: &Finding| {
            let place = finding.place.map_or_else(String::new, |place| format!(" at {place}"));
            format!("{}{place}: {}", finding.cause.slug, self.evidence(finding))
        };
        fitting(self.judgement.findings.iter().skip(1).take(MORE).map(described), 2_048)
    }

    /// What left instead, or would have.
    fn delivered(&self) -> String {
        let enforced = self.judgement.withheld.as_ref().unwrap_or(&self.judgement.delivery);
        let what = match &enforced.kind {
            DeliveryKind::Empty => format!(
                "{} (nothing more to say)",
                if enforced.body.is_empty() { "204" } else { "<Response/>" }
            ),
            DeliveryKind::Fallback(name) => format!("fallback \"{}\"", line(name, 80)),
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
        let shown = |attempt: &Attempt| {
            let why = match &attempt.reason {
                AttemptReason::First => "",
                AttemptReason::Collapsed => " (collapsed)",
                AttemptReason::OtherMethod => " (other method)",
                AttemptReason::PostAgain => " (as POST)",
                AttemptReason::Redirect => " (redirect)",
                AttemptReason::Resent => " (sent again)",
                AttemptReason::Resigned { .. } => " (signed anew)",
            };
            let status = attempt
                .status
                .map_or_else(|| "no answer".to_owned(), |status| status.as_u16().to_string());
            let target = line(self.redaction.masked_target(&attempt.target), 300);
            format!("{} {target}{why}: {status}", line(attempt.method.as_str(), 20))
        };
        fitting(self.exchange.attempts.iter().map(shown), 1_536)
    }
}

/// A text as one visible line of at most so many bytes, with `…` where it was cut.
pub(super) fn line<'t>(text: impl Into<Cow<'t, str>>, max: usize) -> String {
    lined(text, max).into_owned()
}

/// The same, borrowed where it is one already.
fn lined<'t>(text: impl Into<Cow<'t, str>>, max: usize) -> Cow<'t, str> {
    let shown = bounded(text.into(), max);
    if shown.len() <= max {
        return shown;
    }
    let mut shown = shown.into_owned();
    let end = (0..=max.saturating_sub(3)).rev().find(|&at| shown.is_char_boundary(at));
    shown.truncate(end.unwrap_or_default());
    shown.push('…');
    shown.into()
}

/// As many of the lines as fit, in all, into `max` bytes.
fn fitting(lines: impl Iterator<Item = String>, max: usize) -> Vec<String> {
    let mut used = 0;
    lines
        .take_while(|line| {
            used += line.len();
            used <= max
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::StatusCode;
    use serde_json::Value;

    use super::super::sample::{self, Sample};
    use super::*;
    use crate::guard::head::{self, Reading};
    use crate::guard::policy::OnFault;
    use crate::guard::{Outcome, Policy};
    use crate::telemetry::settings::LogBody;

    /// What must never be printed, in every place where it can stand.
    fn secretive() -> Incident {
        let form = "CallSid=CA0123456789abcdef0123456789ab1f03&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=in-progress&From=%2B972501234724&To=%2B15550104477&Digits=778899&SpeechResult=open+sesame";
        Sample::default()
            .form(form)
            .target("/voice?auth_token=s3cr3t&From=%2B972501234724")
            .header("set-cookie", "sid=s3cr3t; Path=/")
            .header("location", "/login?token=s3cr3t&Digits=778899")
            .header("x-debug", "Bearer s3cr3t-1")
            .body(
                500,
                "text/html",
                "<h1>KeyError at /voice</h1><p>שגיאה</p><td>SECRET_KEY</td><td>s3cr3t</td> Digits 778899 said open sesame from +972501234724, card 4111 1111 1111 1111",
            )
            .incident()
    }

    fn json(incident: &Incident, body: LogBody, shown: BodyShown) -> Value {
        let line = incident.told().json(body, shown);
        assert!(line.len() < MAX_LINE, "{}", line.len());
        assert!(!line.contains('\n'));
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn no_secret_is_printed_in_either_form() {
        let incident = secretive();
        for text in [
            incident.told().json(LogBody::Full, BodyShown::Itself),
            incident.told().human(LogBody::Full, BodyShown::Itself, false),
        ] {
            for secret in ["s3cr3t", "778899", "open sesame", "0501234", "501234724", "4111 1111"] {
                assert!(!text.contains(secret), "{secret}: {text}");
            }
            assert!(text.contains("שגיאה") && text.contains("+9725…4724"), "{text}");
        }
    }

    #[test]
    fn bodies_that_are_no_utf8_are_masked_too() {
        let (hebrew, _, _) = encoding_rs::WINDOWS_1255.encode("שגיאה password=s3cr3t 0501234567");
        let labelled =
            Sample::default().body(500, "text/html; charset=windows-1255", hebrew.clone());
        let text = labelled.incident().told().json(LogBody::Full, BodyShown::Itself);
        assert!(text.contains("שגיאה") && text.contains("…4567"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");

        let broken = b"\xff\xfe\xfa <h1>\x80 password=s3cr3t \xe90501234567".as_slice();
        let text = Sample::default()
            .body(500, "text/html; charset=utf-8", broken)
            .incident()
            .told()
            .human(LogBody::Full, BodyShown::Itself, false);
        assert!(!text.contains("s3cr3t") && !text.contains("0501234567"), "{text}");
    }

    #[test]
    fn an_operator_finds_what_was_asked_answered_and_delivered() {
        let incident = secretive();
        let event = json(&incident, LogBody::Full, BodyShown::Itself);
        for (field, value) in [
            ("level", "WARN"),
            ("message", "replaced"),
            ("target", "twiml_guard::incidents"),
            ("http.request.method", "POST"),
            ("url.path", "/voice"),
            ("http.route", "/voice"),
            ("slot", "voice"),
            ("cause", incident.cause()),
            ("call.sid", "CA0123456789abcdef0123456789ab1f03"),
            ("from", "+9725…4724"),
            ("to", "+1555…4477"),
            ("delivery", "fallback \"voice\""),
        ] {
            assert_eq!(event[field], value, "{field}: {event}");
        }
        assert_eq!(event["incident.id"], incident.id.to_string());
        assert_eq!(event["backend.status"], 500);
        assert_eq!(event["delivery.status"], 200);
        assert_eq!(event["backend.duration_ms"], 184);
        assert_eq!(event["observe"], false);
        assert_eq!(event["causes"][0], incident.cause());
        assert_eq!(
            (&event["belief"], &event["signature"]),
            (&"assumed".into(), &"unchecked".into())
        );
        assert_eq!(event["call.status"], "in-progress");
        assert!(event["summary"].as_str().is_some_and(|line| line.contains("; fix: ")), "{event}");
        assert!(event["twilio.code"].as_str().is_some_and(|codes| !codes.is_empty()));
        assert!(event["backend.body"].as_str().is_some_and(|body| body.contains("KeyError")));
        assert!(event["fix"].as_str().is_some_and(|fix| !fix.is_empty()));
        assert!(event["backend.headers"][0].is_string());
    }

    #[test]
    fn lines_that_no_reader_takes_are_shown_and_masked() {
        let raw = b"ICY 200 OK\r\nSet-Cookie: sid=s3cr3t\x0b; Path=/\r\nX-Token\x01: s3cr3t\r\nNonsense +972501234724\r\n\r\n";
        let Reading::Head(head) = head::read(raw) else { panic!("no head") };
        let mut incident = Sample::default().body(200, "text/xml", "<Response/>").incident();
        let mut exchange = (*incident.exchange).clone();
        if let Outcome::Answered(answer) = &mut exchange.outcome {
            answer.odd = head.odd;
        }
        incident.exchange = std::sync::Arc::new(exchange);
        let event = json(&incident, LogBody::Full, BodyShown::Itself);
        let shown: Vec<_> = (0..5).map(|at| event["backend.headers"][at].clone()).collect();
        assert_eq!(
            shown,
            [
                "ICY 200 OK",
                "Set-Cookie: sid=***; Path=/",
                "X-Token: ***",
                "Nonsense +9725…4724",
                "content-type: text/xml"
            ]
        );
    }

    #[test]
    fn people_read_what_the_backend_said_what_left_and_what_to_fix() {
        let incident = secretive();
        let text = incident.told().human(LogBody::Full, BodyShown::Itself, false);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].contains(" WARN  replaced  POST /voice  slot=voice  cause="), "{text}");
        assert!(
            lines[1].contains(" averted: POST /voice ") && lines[1].contains("; fix: "),
            "{text}"
        );
        assert!(
            lines[2].starts_with("     backend answered 500 text/html \"<h1>KeyError"),
            "{text}"
        );
        assert!(lines[2].ends_with(" in 184 ms; delivered fallback \"voice\""), "{text}");
        let last = lines[lines.len() - 1];
        assert!(last.starts_with(&format!("     incident={} call=CA…1f03", incident.id)), "{text}");
    }

    #[test]
    fn messages_say_what_became_of_the_answer() {
        let page = || Sample::default().body(500, "text/html", "<h1>Oops</h1>");
        assert_eq!(page().incident().message(), "replaced");
        assert_eq!(
            page().policy(|policy| policy.on_fault = OnFault::Fail).incident().message(),
            "failed"
        );
        let observed = page().policy(|policy| policy.observe = true).incident();
        assert_eq!(observed.message(), "would replace");
        let event = json(&observed, LogBody::Full, BodyShown::Itself);
        assert_eq!(event["observe"], true);
        assert_eq!(event["delivery.status"], 500);
        let mended = Sample::default().body(200, "text/xml", "\u{feff}<Response/>oops").incident();
        assert_eq!((mended.message(), mended.level()), ("repaired", "WARN"));
        let retyped = Sample::default().body(200, "text/html", "<Response/>").incident();
        assert_eq!((retyped.message(), retyped.level()), ("repaired", "INFO"));
    }

    #[test]
    fn a_backend_that_gives_no_answer_is_described() {
        let incident = Sample::default().refused().incident();
        let event = json(&incident, LogBody::Full, BodyShown::Itself);
        assert!(event["backend.failure"].as_str().is_some_and(|text| text.contains("127.0.0.1:9")));
        assert!(event.get("backend.status").is_none());
        let text = incident.told().human(LogBody::Full, BodyShown::Itself, false);
        assert!(text.contains("backend gave no answer"), "{text}");
    }

    #[test]
    fn what_was_seen_is_made_visible_and_forges_nothing() {
        let forged = "\u{feff}<h1>\u{1b}[31m\r\nWARN replaced forged\u{202e}\u{2028}\u{a0}</h1>";
        let incident = Sample::default()
            .form("CallSid=CA1%0aWARN+forged&From=a%1b[2J&CallStatus=ringing")
            .target("/voice\u{202e}")
            .body(200, "text/html", forged)
            .incident();
        let human = incident.told().human(LogBody::Full, BodyShown::Itself, false);
        let line = incident.told().json(LogBody::Full, BodyShown::Itself);
        assert!(human.lines().all(|line| !line.starts_with("WARN")), "{human}");
        for text in [human.replace('\n', ""), line] {
            let odd = |c: char| {
                c.is_control() || matches!(c, '\u{202e}' | '\u{2028}' | '\u{feff}' | '\u{a0}')
            };
            assert!(!text.contains(odd), "{text:?}");
            assert!(text.contains("<U+FEFF>"), "{text}");
        }
    }

    #[test]
    fn events_stay_under_the_line_limit_and_whole() {
        for unit in ["x", "\"", "\\", "\u{a0}", "ש", "\u{1}", "<a href='x'>&amp;</a>\n"] {
            let incident = Sample::default()
                .target(&format!("/{0}?{0}", unit.repeat(4_000).replace('\n', "")))
                .route(&unit.repeat(1_000))
                .form(&format!("CallSid={0}&From={0}&To={0}&CallStatus=ringing", unit.repeat(500)))
                .attempt(&unit.repeat(1_000), AttemptReason::Redirect, StatusCode::FOUND)
                .attempt(&unit.repeat(1_000), AttemptReason::OtherMethod, StatusCode::OK)
                .header("x-long", &"h".repeat(9_000))
                .body(500, "text/html", unit.repeat(200_000 / unit.len()))
                .incident();
            let event = json(&incident, LogBody::Full, BodyShown::Itself);
            let body = event["backend.body"].as_str().unwrap();
            assert!(body.contains("bytes in all)"), "{unit}: {body}");
            assert!(body.len() > 1_000, "{unit}: {}", body.len());
            assert!(event["incident.id"].is_string());
            let human = incident.told().human(LogBody::Full, BodyShown::Itself, true);
            assert!(human.len() < MAX_LINE, "{unit}: {}", human.len());
            assert!(human.contains("incident=") && human.contains("fix: "), "{unit}");
        }
    }

    #[test]
    fn a_secret_at_the_cut_is_not_half_printed() {
        for shift in 0..64 {
            let body = format!("{} +972501234724 and more", "x".repeat(2_000 - shift));
            let incident = Sample::default().body(500, "text/html", body).incident();
            let human = incident.told().human(LogBody::Full, BodyShown::Itself, false);
            assert!(!human.contains("97250"), "{shift}");
        }
    }

    #[test]
    fn settings_say_how_much_of_the_body_is_printed() {
        let body = "<h1>Oops</h1>".repeat(100);
        let incident = Sample::default().body(500, "text/html", body).incident();
        let other = sample::id();
        let of = |setting, shown| json(&incident, setting, shown)["backend.body"].clone();
        assert!(of(LogBody::None, BodyShown::Itself).is_null());
        assert!(of(LogBody::None, BodyShown::AsIn(other)).is_null());
        assert_eq!(of(LogBody::Full, BodyShown::AsIn(other)), format!("same as incident {other}"));
        let preview = of(LogBody::Preview, BodyShown::Itself);
        assert_eq!(preview.as_str().unwrap().split('…').next().unwrap().chars().count(), 200);
        assert_eq!(of(LogBody::Full, BodyShown::Itself).as_str().unwrap().len(), 1_300);
        let none = incident.told().human(LogBody::None, BodyShown::Itself, false);
        assert!(none.contains("answered 500 text/html in 184 ms"), "{none}");
    }

    #[test]
    fn second_requests_are_listed() {
        let incident = Sample::default()
            .attempt("/moved?Digits=778899", AttemptReason::Redirect, StatusCode::NOT_FOUND)
            .body(404, "text/html", "<h1>Not Found</h1>")
            .elapsed(Duration::from_millis(20))
            .incident();
        let event = json(&incident, LogBody::Full, BodyShown::Itself);
        assert_eq!(event["attempts"][1], "GET /moved?Digits=*** (redirect): 404");
        let human = incident.told().human(LogBody::Full, BodyShown::Itself, false);
        assert!(human.contains("     asked: GET /moved?Digits=*** (redirect): 404"), "{human}");
    }

    /// As the tests below name it.
    fn incident(status: u16, kind: &str, body: &[u8], policy: Policy) -> Incident {
        let form = "CallSid=CA0123456789abcdef0123456789abcdef&From=%2B972501234724&Digits=8642";
        let incident = Sample::default()
            .route("/webhook/incoming_call")
            .target("/webhook/incoming_call?token=hush-hush")
            .form(form)
            .header("set-cookie", "sid=hush-hush")
            .policy(|own| *own = policy)
            .body(status, kind, body)
            .incident();
        Incident { id: Uuid::nil(), ..incident }
    }

    const PAGE: &[u8] =
        b"<title>OperationalError</title><p>password=hush-hush, call +15550104477</p>";

    #[test]
    fn people_see_what_the_backend_did_and_what_to_fix() {
        let shown = incident(500, "text/html", PAGE, Policy::default()).told().human(
            LogBody::Full,
            BodyShown::Itself,
            false,
        );
        let (_, shown) = shown.split_once(' ').unwrap();
        assert_eq!(
            shown,
            "WARN  replaced  POST /webhook/incoming_call  slot=voice  cause=html-page  twilio=11200,11217,12100\n     \
             11200 averted: POST /webhook/incoming_call (taken for voice); the backend said 500 text/html (a web page instead of TwiML: OperationalError); answered fallback \"voice\"; fix: this route's error handler returns a web page; return TwiML from it (Flask: @app.errorhandler)\n     \
             backend answered 500 text/html \"<title>OperationalError</title><p>password=***, call +1555…4477</p>\" in 184 ms; delivered fallback \"voice\"\n     \
             seen: a web page instead of TwiML at line 1 column 1: OperationalError\n     \
             also: server-error: status 500 Internal Server Error\n     \
             incident=00000000-0000-0000-0000-000000000000 call=CA…cdef from=+9725…4724"
        );
    }

    #[test]
    fn no_secret_no_number_and_no_digit_of_a_caller_is_in_a_line() {
        let incident = incident(500, "text/html", PAGE, Policy::default());
        for body in [LogBody::Full, LogBody::Preview, LogBody::None] {
            let lines = [
                incident.told().human(body, BodyShown::Itself, true),
                incident.told().json(body, BodyShown::Itself),
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
            let json = incident.told().json(LogBody::Full, BodyShown::Itself);
            assert!(json.len() < 16 * 1024 && !json.contains('\n'), "{}", json.len());
            assert!(
                incident.told().human(LogBody::Full, BodyShown::Itself, false).len() < 16 * 1024
            );
            serde_json::from_str::<Value>(&json).unwrap();
        }
    }

    #[test]
    fn observing_says_what_it_would_have_done() {
        let policy = Policy { observe: true, ..Policy::default() };
        let incident = incident(500, "text/html", PAGE, policy);
        assert_eq!(incident.message(), "would replace");
        assert!(
            incident.told().json(LogBody::None, BodyShown::Itself).contains("\"observe\":true")
        );
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
        let line = incident.told().json(LogBody::Full, BodyShown::AsIn(Uuid::nil()));
        assert!(
            line.contains("same as incident 00000000")
                && !line.contains("OperationalError</title>")
        );
    }
}
