//! What of an incident goes into the line that blames, and into more than one place besides.

use std::ops::Deref;

use http::StatusCode;

use super::blame::Blame;
use super::{Incident, line, lined};
use crate::guard::call::StreamState;
use crate::guard::causes::{Cause, Evidence, Level, headers};
use crate::guard::media::ContentType;
use crate::guard::stream::StreamEnd;
use crate::guard::{DeliveryKind, Finding, Outcome, Verdict};
use crate::twilio::{Slot, call};

/// Causes that say that nobody wrote the answer for Twilio: the path may be the wrong one.
const STRAY: [&str; 5] =
    ["html-page", "json-answer", "method-refused", "not-found", "single-page-app"];

/// How much of what the backend said may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// Masked, all that helps.
    Whole,
    /// Nothing of what the backend said: for places that are not the operator's own.
    Bare,
}

/// An incident with what is told of it in more than one place: put into words, and masked, once.
pub(in crate::incidents) struct Told<'i> {
    incident: &'i Incident,
    /// The request's path, one line.
    pub(super) path: String,
    /// As what the URL was handed out.
    pub(in crate::incidents) role: Option<String>,
    /// Which document handed the URL out.
    pub(in crate::incidents) parent: Option<String>,
    /// What became of the call's stream.
    pub(in crate::incidents) stream: Option<String>,
    /// What is known of the signature.
    pub(in crate::incidents) signature: String,
    /// The call.
    pub(in crate::incidents) call_sid: Option<String>,
    /// The message.
    pub(in crate::incidents) message_sid: Option<String>,
    /// CallStatus, or a message's status, as the request told it.
    pub(in crate::incidents) call_status: Option<String>,
    /// Twilio's codes, the most likely first.
    pub(in crate::incidents) codes: Vec<u32>,
    /// What was seen, as the first finding has it.
    pub(super) seen: String,
    /// Routes that are known to take TwiML, but for this one.
    pub(super) known: Vec<String>,
    /// The one line that names the exchange to blame.
    pub(in crate::incidents) summary: String,
    /// The same for places that are not the operator's own.
    pub(in crate::incidents) bare: String,
}

impl Deref for Told<'_> {
    type Target = Incident;

    fn deref(&self) -> &Incident {
        self.incident
    }
}

impl<'i> Told<'i> {
    /// Twilio's codes, the most likely first, in one text.
    pub(super) fn codes(&self) -> String {
        self.codes.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
    }

    /// What is told of an incident.
    pub(in crate::incidents) fn of(incident: &'i Incident) -> Self {
        let path = incident.path();
        let known = incident.known(&path);
        let (role, parent) = incident.role();
        let stream = incident.stream(Telling::Whole);
        let sid = |name| incident.param(name).map(|sid| incident.redaction.text(sid));
        let codes = incident.judgement.codes();
        let first = incident.judgement.findings.first();
        let seen = first.map(|finding| incident.redaction.text(&finding.evidence));
        let seen = seen.unwrap_or_default();
        let mut blame = incident.blame(&path, role.clone(), &known, codes.first().copied());
        let mut sentence = |telling, stream| {
            incident.tell(&mut blame, telling, stream, &seen);
            blame.sentence()
        };
        Self {
            summary: sentence(Telling::Whole, stream.clone()),
            bare: sentence(Telling::Bare, incident.stream(Telling::Bare)),
            signature: incident.signature(),
            call_sid: sid("CallSid"),
            message_sid: sid("MessageSid").or_else(|| sid("SmsSid")),
            call_status: incident.call_status(),
            incident,
            path,
            role,
            parent,
            stream,
            codes,
            seen,
            known,
        }
    }
}

impl Incident {
    /// With what is told of it.
    pub(in crate::incidents) fn told(&self) -> Told<'_> {
        Told::of(self)
    }

    /// The line but for what depends on how much may be told.
    fn blame(
        &self,
        path: &str,
        role: Option<String>,
        known: &[String],
        code: Option<u32>,
    ) -> Blame {
        let (exchange, judgement) = (&self.exchange, &self.judgement);
        let first = judgement.findings.first();
        let slot = exchange.slot;
        let is_stream = slot == Slot::Stream;
        let code = code.filter(|_| !self.is_harmless()).map(|code| {
            let source = judgement.findings.iter().find(|f| f.cause.codes.contains(&code));
            (code, source.is_some_and(|finding| finding.cause.evidence == Evidence::Inferred))
        });
        let method = line(exchange.request.method.as_str(), 20);
        let place = &exchange.call.role;
        Blame {
            code,
            averted: self.is_averted(),
            outcome: if judgement.verdict == Verdict::Untouched && !is_stream {
                "noticed"
            } else if self.is_harmless() {
                "harmless"
            } else {
                self.message()
            },
            request: format!("{} {path}", if is_stream { "stream" } else { &method }),
            slot: Some(slot),
            role,
            belief: place.belief,
            against: place.against,
            needs_twiml: self.needs_twiml(first),
            state: (slot.is_voice()).then(|| self.state()).flatten(),
            sent: self.sent(),
            known: if self.is_stray() { known.to_vec() } else { Vec::new() },
            fix: first.map(|finding| self.fix(finding)).unwrap_or_default(),
            ..Blame::default()
        }
    }

    /// Puts in what depends on how much may be told.
    fn tell(&self, blame: &mut Blame, telling: Telling, stream: Option<String>, seen: &str) {
        let slot = self.exchange.slot;
        let first = self.judgement.findings.first();
        blame.fell_back = self.fell_back(telling);
        blame.gave = if slot == Slot::Stream { String::new() } else { self.gave(telling) };
        blame.seen = first.map(|finding| self.seen(finding, telling, seen)).unwrap_or_default();
        blame.signature = self.refused_signature(telling);
        blame.stream = stream.filter(|_| matters(slot));
    }

    /// What to fix; no TwiML is asked of a callback.
    fn fix(&self, first: &Finding) -> String {
        let remedy = first.cause.remedy;
        if self.exchange.slot == Slot::Callback && remedy.contains("TwiML") {
            return headers::callback_failed::CAUSE.remedy.to_owned();
        }
        remedy.to_owned()
    }

    /// Whether Twilio got something that it takes instead of what the backend gave.
    fn is_averted(&self) -> bool {
        let judgement = &self.judgement;
        judgement.withheld.is_none()
            && judgement.verdict != Verdict::Untouched
            && judgement.delivery.kind != DeliveryKind::Refusal
            && self.exchange.slot != Slot::Stream
    }

    /// What the backend gave; first what it gave at first, where it was asked again.
    fn gave(&self, telling: Telling) -> String {
        let last = self.gave_last(telling);
        match &self.exchange.attempts[..] {
            [first, _, ..] => {
                let status = first.status.map(|status| status.as_u16().to_string());
                let status = status.unwrap_or_else(|| "nothing".to_owned());
                format!("said {status} at first, and {last} when asked again")
            }
            _ => last,
        }
    }

    fn gave_last(&self, telling: Telling) -> String {
        let Outcome::Answered(answer) = &self.exchange.outcome else {
            return "gave no answer".to_owned();
        };
        let status = answer.status.as_u16();
        if telling == Telling::Bare || answer.status == StatusCode::NO_CONTENT {
            return format!("said {status}");
        }
        match ContentType::of(&answer.headers) {
            ContentType::Media(media) => {
                format!("said {status} {}", line(self.redaction.masked(&media.essence), 80))
            }
            odd => format!("said {status} ({})", line(self.redaction.masked(&odd.shown()), 80)),
        }
    }

    /// What the first finding says, unless the status does.
    fn seen(&self, finding: &Finding, telling: Telling, seen: &str) -> String {
        let status = match &self.exchange.outcome {
            Outcome::Answered(answer) => answer.status.as_u16().to_string(),
            Outcome::Failed(_) => String::new(),
        };
        let Cause { explain, .. } = finding.cause;
        if !status.is_empty() && explain.starts_with(&status) {
            return String::new();
        }
        let evidence = match telling {
            Telling::Whole => lined(seen, 200),
            Telling::Bare => "".into(),
        };
        if evidence.is_empty() || evidence == *explain {
            (*explain).to_owned()
        } else {
            format!("{explain}: {evidence}")
        }
    }

    fn needs_twiml(&self, first: Option<&Finding>) -> bool {
        let names_twiml = |finding: &Finding| finding.cause.explain.contains("TwiML");
        self.judgement.verdict == Verdict::Replaced
            && self.exchange.slot.takes_twiml()
            && matches!(self.exchange.outcome, Outcome::Answered(_))
            && first.is_some_and(|f| f.cause.level == Level::Fault && !names_twiml(f))
    }

    /// A genuine request that was refused, or one that is not Twilio's.
    fn refused_signature(&self, telling: Telling) -> Option<String> {
        use crate::guard::call::Authenticity::{Forged, Genuine, Unchecked, Unsigned};
        let is_refused = matches!(&self.exchange.outcome, Outcome::Answered(answer)
            if matches!(answer.status.as_u16(), 401 | 403));
        match &self.exchange.call.signature {
            Genuine { url } if is_refused => Some(format!(
                "the signature is valid for {}, the app's own check refused it",
                self.url(url, telling)
            )),
            Forged => Some("its signature is not Twilio's".to_owned()),
            Unsigned => Some("it carries no signature".to_owned()),
            Genuine { .. } | Unchecked => None,
        }
    }

    /// As what the URL was handed out, and which document did, masked.
    fn role(&self) -> (Option<String>, Option<String>) {
        let Some(role) = self.exchange.call.role.handed_out.as_ref() else { return (None, None) };
        let masked = |text: &str| Some(line(self.redaction.masked_target(text), 256));
        (masked(&role.to_string()), masked(&role.parent))
    }

    /// What became of the call's stream, masked.
    fn stream(&self, telling: Telling) -> Option<String> {
        let mut state = self.exchange.call.stream.clone();
        match &mut state {
            StreamState::NeverOpened { url } => *url = self.url(url, telling),
            StreamState::Over(report) if telling == Telling::Bare => {
                if let StreamEnd::Closed { reason, .. } = &mut report.end {
                    reason.clear();
                }
            }
            _ => {}
        }
        Some(line(self.redaction.masked(&state.words()?), 256))
    }

    /// A URL, masked; without its query where only little may be told.
    fn url(&self, url: &str, telling: Telling) -> String {
        let url = match telling {
            Telling::Whole => url,
            Telling::Bare => url.split('?').next().unwrap_or_default(),
        };
        line(self.redaction.masked_target(url), 240)
    }

    /// What is known of the signature, masked.
    fn signature(&self) -> String {
        line(self.redaction.masked_target(&self.exchange.call.signature.words()), 256)
    }

    /// CallStatus, or a message's status, as the request told it.
    fn call_status(&self) -> Option<String> {
        let told = ["CallStatus", "MessageStatus", "SmsStatus"];
        let (name, value) = told.iter().find_map(|name| Some((name, self.param(name)?)))?;
        Some(line(self.redaction.masked_param(name, value), 40))
    }

    fn state(&self) -> Option<(String, bool)> {
        let params = &self.exchange.request.params;
        let status = params.get("CallStatus").filter(|status| !status.is_empty())?;
        Some((self.redaction.param("CallStatus", status), call::is_over(params)))
    }

    /// Whose fault made Twilio ask for this URL, masked.
    fn fell_back(&self, telling: Telling) -> Option<(String, String)> {
        let fell = call::fell_back(&self.exchange.request.params, self.exchange.slot)?;
        let url = fell.url.map(|url| self.url(url, telling)).unwrap_or_default();
        let code = fell.code.map(|code| self.redaction.text(code)).unwrap_or_default();
        Some((url, code))
    }

    /// Whether the answer looks as if nobody knew the path.
    pub(super) fn is_stray(&self) -> bool {
        self.exchange.slot.takes_twiml() && self.causes().iter().any(|slug| STRAY.contains(slug))
    }

    /// Routes that are known to take TwiML, but for this one on `path`; masked.
    fn known(&self, path: &str) -> Vec<String> {
        let own = format!("{} {path} ", self.exchange.request.method);
        let masked =
            self.known_routes.iter().map(|route| line(self.redaction.masked_target(route), 256));
        masked.filter(|route| !route.starts_with(&own)).collect()
    }

    fn sent(&self) -> String {
        let judgement = &self.judgement;
        match (&judgement.withheld, &judgement.delivery.kind) {
            (Some(_), _) => format!("delivered {}", self.delivered()),
            (None, DeliveryKind::Original) if self.exchange.slot == Slot::Stream => String::new(),
            (None, DeliveryKind::Original) => "passed on as it is".to_owned(),
            (None, DeliveryKind::Repaired) => format!("sent {}", self.delivered()),
            (None, _) => format!("answered {}", self.delivered()),
        }
    }
}

/// Whether what became of the stream tells why Twilio asks here.
const fn matters(slot: Slot) -> bool {
    matches!(slot, Slot::Action | Slot::Stream | Slot::Voice)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::guard::call::{Authenticity, StreamState};
    use crate::guard::causes::by_slug;
    use crate::guard::stream::StreamReport;
    use crate::incidents::record::{Record, Row};
    use crate::incidents::sample::Sample;

    fn said(sample: Sample) -> String {
        sample.incident().told().summary
    }

    #[test]
    fn the_action_behind_a_dead_stream_is_blamed() {
        let said = said(Sample::stream_died());
        assert_eq!(
            said.rsplit_once("; answered").unwrap().0,
            "12100 averted: POST /ended is the action of <Connect> from POST /incoming_call; \
             the backend said 204, Twilio needs TwiML; \
             its stream lasted 0.3 s, 0 frames in, 0 audio out, closed 1000 by the backend; \
             the caller is still on the line"
        );
        let fix = by_slug("no-content").unwrap().remedy;
        assert!(said.ends_with(&format!("; answered fallback \"action\"; fix: {fix}")), "{said}");
    }

    #[test]
    fn an_action_of_a_call_that_was_over_says_so() {
        let over = "CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=completed";
        let incident = Sample::stream_died().form(over).incident();
        assert_eq!(incident.level(), "INFO");
        let said = incident.told().summary;
        assert!(said.starts_with("harmless: POST /ended is the action of <Connect>"), "{said}");
        assert!(said.contains("; the call was over (completed); answered "), "{said}");
    }

    #[test]
    fn an_error_status_is_what_twilio_logs_and_the_first_answer_is_told() {
        let json = Sample::default().body(500, "application/json", "{\"error\":\"x\"}");
        assert!(said(json).starts_with("11200 averted: "));
        let page = Sample::default().body(200, "text/html", "<!doctype html><h1>Hello</h1>");
        assert!(said(page).starts_with("12100 averted: "));
    }

    #[test]
    fn observing_and_failing_avert_nothing() {
        let observed = said(Sample::stream_died().policy(|policy| policy.observe = true));
        assert!(observed.starts_with("12100 ahead: POST /ended is"), "{observed}");
        assert!(observed.contains("the original (observing; would be fallback"), "{observed}");
        let on_fault = crate::guard::policy::OnFault::Fail;
        let failed = said(Sample::stream_died().policy(|policy| policy.on_fault = on_fault));
        assert!(
            failed.starts_with("12100 ahead: ") && failed.contains("; answered 502; "),
            "{failed}"
        );
    }

    #[test]
    fn a_page_where_no_route_is_names_those_that_are_known() {
        let page = || {
            Sample::default()
                .target("/incoming_call")
                .known(&["POST /incoming_call (voice)", "POST /webhook/incoming_call (voice)"])
        };
        let said_page =
            said(page().body(404, "text/html", "<!doctype html><title>Not Found</title>"));
        assert!(
            said_page
                .contains("; known TwiML routes here: POST /webhook/incoming_call (voice); fix: "),
            "{said_page}"
        );
        assert!(
            said_page.contains("the backend said 404 text/html (")
                && said_page.contains("Not Found")
        );
        let mended = said(page().body(200, "text/xml", "\u{feff}<Response/>"));
        assert!(!mended.contains("known TwiML routes"), "{mended}");
    }

    #[test]
    fn a_backend_that_is_down_is_told_with_its_address() {
        let said = said(Sample::default().refused());
        assert!(
            said.contains("(taken for voice); the backend gave no answer (nobody listens"),
            "{said}"
        );
        assert!(said.contains("127.0.0.1:9"), "{said}");
    }

    #[test]
    fn a_genuine_request_that_was_refused_is_named_as_such() {
        let url = "https://pbx.example.com/voice?token=s3cr3t".to_owned();
        let refused = |signature| {
            said(Sample::default().call(|call| call.signature = signature).body(
                403,
                "text/plain",
                "no",
            ))
        };
        let genuine = refused(Authenticity::Genuine { url: url.clone() });
        let part = "the signature is valid for https://pbx.example.com/voice?token=***";
        assert_eq!(genuine.matches(part).count(), 1, "{genuine}");
        assert!(refused(Authenticity::Forged).contains("; its signature is not Twilio's; "));
        let fine = Sample::default().call(|call| call.signature = Authenticity::Genuine { url });
        assert!(!said(fine.body(500, "text/html", "<h1>")).contains("signature"));
    }

    #[test]
    fn the_fallback_url_is_not_the_culprit() {
        let form = "CallSid=CA1&CallStatus=in-progress&ErrorCode=12100&ErrorUrl=https%3A%2F%2Fpbx.example.com%2Fended%3Fcaller%3D%252B15550104477";
        let incident = Sample::default().form(form).body(500, "text/html", "<h1>").incident();
        let whole = incident.told().summary;
        let part = "Twilio fell back because https://pbx.example.com/ended?caller=";
        assert!(
            whole.contains(part) && whole.contains("gave 12100; this URL is not the culprit"),
            "{whole}"
        );
        assert!(!whole.contains("15550104477"), "{whole}");
        let bare = incident.told().bare;
        assert!(bare.contains("because https://pbx.example.com/ended gave 12100"), "{bare}");
    }

    #[test]
    fn warnings_are_noticed_and_repairs_sent() {
        let mended = said(Sample::default().body(
            200,
            "text/xml",
            "\u{feff}<Response><Say>a</Say></Response>",
        ));
        assert!(mended.contains("; sent the repaired document; fix: "), "{mended}");
        let slow = Sample::default().elapsed(std::time::Duration::from_secs(12)).body(
            200,
            "text/xml",
            "<Response><Say>a</Say></Response>",
        );
        let slow = said(slow);
        assert!(
            slow.starts_with("noticed: POST /voice ") && slow.contains("; passed on as it is; "),
            "{slow}"
        );
    }

    /// A stream that failed, as a proxy records it.
    fn stream() -> Incident {
        let report =
            StreamReport { path: "/ws".to_owned(), status: Some(400), ..StreamReport::default() };
        let mut incident = Sample::default()
            .slot(Slot::Stream)
            .target("/ws/+15550104477")
            .form("")
            .role("Stream", "url", "POST /voice")
            .call(|call| call.stream = StreamState::Over(Box::new(report)))
            .body(400, "text/html", "<h1>Bad Request</h1>")
            .incident();
        let mut judgement = (*incident.judgement).clone();
        let cause = by_slug("client-error").unwrap();
        judgement.findings = vec![Finding::new(cause, "was refused with 400 instead of 101")];
        judgement.verdict = Verdict::Untouched;
        judgement.delivery.kind = DeliveryKind::Original;
        incident.judgement = Arc::new(judgement);
        incident
    }

    #[test]
    fn a_stream_that_failed_is_ahead_and_told_once() {
        let incident = stream();
        assert_eq!(
            (incident.message(), incident.level(), incident.outcome()),
            ("stream failed", "WARN", "failed")
        );
        let said = incident.told().summary;
        assert!(said.starts_with("11200 ahead: stream /ws/"), "{said}");
        assert!(said.contains(" is the url of <Stream> from POST /voice; "), "{said}");
        assert_eq!(said.matches("was refused with 400 instead of 101").count(), 1, "{said}");
        assert!(!said.contains("15550104477") && !said.contains("passed on"), "{said}");
    }

    /// A number and a secret in every place that a role or a stream can have one.
    fn private() -> Sample {
        let number = "+15550104477";
        let url = format!("wss://pbx.example.com/ws/{number}?token=s3cr3t");
        Sample::stream_died()
            .target(&format!("/ended/{number}"))
            .role("Connect", "action", &format!("POST /in/{number}"))
            .call(|call| {
                call.stream = StreamState::NeverOpened { url: url.clone() };
                call.signature = Authenticity::Genuine { url };
            })
            .known(&["POST /known/+15550104477 (voice)"])
            .body(404, "text/html", "<h1>+15550104477 token=s3cr3t</h1>")
    }

    #[test]
    fn nothing_private_is_in_any_new_field() {
        let incident = private().incident();
        let row = Row::of(&incident.told());
        for field in [&row.role, &row.parent, &row.stream, &row.signature, &row.summary] {
            assert!(field.is_some(), "{row:?}");
        }
        let record = Record::of(&incident, row.clone(), crate::config::Capture::Full).into_masked();
        let fields = incident
            .told()
            .fields(crate::telemetry::settings::LogBody::None, super::super::BodyShown::Itself);
        let bare = incident.told().bare;
        for told in
            [format!("{row:?}"), format!("{:?}", record.row), format!("{fields:?}"), bare.clone()]
        {
            for secret in ["5550104477", "s3cr3t"] {
                assert!(!told.contains(secret), "{secret}: {told}");
            }
        }
        assert!(
            !bare.contains("text/html") && !bare.contains("***") && !bare.contains("h1"),
            "{bare}"
        );
    }

    #[test]
    fn what_the_backend_said_is_not_told_where_little_may_be() {
        let mut sample = Sample::stream_died();
        sample = sample.call(|call| {
            if let StreamState::Over(report) = &mut call.stream {
                report.end = StreamEnd::Closed {
                    by: crate::guard::stream::Side::Backend,
                    code: Some(1011),
                    reason: "KeyError: secret".to_owned(),
                };
            }
        });
        let incident = sample.incident();
        assert!(incident.told().summary.contains("KeyError"));
        let bare = incident.told().bare;
        assert!(
            bare.contains("closed 1011 by the backend") && !bare.contains("KeyError"),
            "{bare}"
        );
    }
}
