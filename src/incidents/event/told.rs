//! What of an incident goes into the line that blames.

use http::StatusCode;

use super::blame::Blame;
use super::{Incident, line};
use crate::guard::call::StreamState;
use crate::guard::causes::{Cause, Evidence, Level};
use crate::guard::media::ContentType;
use crate::guard::stream::StreamEnd;
use crate::guard::{DeliveryKind, Finding, Outcome, Verdict};
use crate::twilio::{Slot, call};

/// Causes that say that nobody wrote the answer for Twilio: the path may be the wrong one.
const STRAY: [&str; 5] = ["html-page", "json-answer", "method-refused", "not-found", "single-page-app"];

/// How much of what the backend said may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::incidents) enum Telling {
    /// Masked, all that helps.
    Whole,
    /// Nothing of what the backend said: for places that are not the operator's own.
    Bare,
}

impl Incident {
    /// The one line that names the exchange to blame, masked.
    pub(in crate::incidents) fn summary(&self, telling: Telling) -> String {
        self.blame(telling).sentence()
    }

    fn blame(&self, telling: Telling) -> Blame {
        let (exchange, judgement) = (&self.exchange, &self.judgement);
        let first = judgement.findings.first();
        let slot = exchange.slot;
        let is_stream = slot == Slot::Stream;
        let code = judgement.codes().first().map(|code| {
            (*code, first.is_some_and(|finding| finding.cause.evidence == Evidence::Inferred))
        });
        let method = line(exchange.request.method.as_str(), 20);
        let role = &exchange.call.role;
        Blame {
            code,
            averted: self.is_averted(),
            outcome: if judgement.verdict == Verdict::Untouched && !is_stream {
                "noticed"
            } else {
                self.message()
            },
            request: if is_stream {
                format!("stream {}", self.path())
            } else {
                format!("{method} {}", self.path())
            },
            slot: Some(slot),
            role: self.role(),
            belief: role.belief,
            against: role.against,
            fell_back: self.fell_back(telling),
            gave: if is_stream { String::new() } else { self.gave(telling) },
            seen: first.map(|finding| self.seen(finding, telling)).unwrap_or_default(),
            needs_twiml: self.needs_twiml(first),
            signature: self.refused_signature(telling),
            stream: self.stream(telling).filter(|_| matters(slot)),
            state: (slot.is_voice()).then(|| self.state()).flatten(),
            sent: self.sent(),
            known: if self.is_stray() { self.known() } else { Vec::new() },
            fix: first.map(|finding| finding.cause.remedy.to_owned()).unwrap_or_default(),
        }
    }

    /// Whether Twilio got something that it takes instead of what the backend gave.
    fn is_averted(&self) -> bool {
        let judgement = &self.judgement;
        judgement.withheld.is_none()
            && judgement.verdict != Verdict::Untouched
            && judgement.delivery.kind != DeliveryKind::Refusal
            && self.exchange.slot != Slot::Stream
    }

    fn gave(&self, telling: Telling) -> String {
        let Outcome::Answered(answer) = &self.exchange.outcome else {
            return "gave no answer".to_owned();
        };
        let status = answer.status.as_u16();
        if telling == Telling::Bare || answer.status == StatusCode::NO_CONTENT {
            return format!("said {status}");
        }
        match ContentType::of(&answer.headers) {
            ContentType::Media(media) => {
                format!("said {status} {}", line(&self.redaction.text(&media.essence), 80))
            }
            odd => format!("said {status} ({})", line(&self.redaction.text(&odd.shown()), 80)),
        }
    }

    /// What the first finding says, unless the status does.
    fn seen(&self, finding: &Finding, telling: Telling) -> String {
        let status = match &self.exchange.outcome {
            Outcome::Answered(answer) => answer.status.as_u16().to_string(),
            Outcome::Failed(_) => String::new(),
        };
        let Cause { explain, .. } = finding.cause;
        if !status.is_empty() && explain.starts_with(&status) {
            return String::new();
        }
        let evidence = match telling {
            Telling::Whole => line(&self.redaction.text(&finding.evidence), 200),
            Telling::Bare => String::new(),
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

    /// As what the URL was handed out, masked.
    pub(in crate::incidents) fn role(&self) -> Option<String> {
        let role = self.exchange.call.role.handed_out.as_ref()?;
        Some(line(&self.redaction.target(&role.to_string()), 256))
    }

    /// Which document handed the URL out, masked.
    pub(in crate::incidents) fn parent(&self) -> Option<String> {
        let role = self.exchange.call.role.handed_out.as_ref()?;
        Some(line(&self.redaction.target(&role.parent), 256))
    }

    /// What became of the call's stream, masked.
    pub(in crate::incidents) fn stream(&self, telling: Telling) -> Option<String> {
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
        Some(line(&self.redaction.text(&state.words()?), 256))
    }

    /// A URL, masked; without its query where only little may be told.
    fn url(&self, url: &str, telling: Telling) -> String {
        let url = match telling {
            Telling::Whole => url,
            Telling::Bare => url.split('?').next().unwrap_or_default(),
        };
        line(&self.redaction.target(url), 240)
    }

    /// What is known of the signature, masked.
    pub(in crate::incidents) fn signature(&self) -> String {
        line(&self.redaction.target(&self.exchange.call.signature.words()), 256)
    }

    /// CallStatus, or a message's status, as the request told it.
    pub(in crate::incidents) fn call_status(&self) -> Option<String> {
        let told = ["CallStatus", "MessageStatus", "SmsStatus"];
        let (name, value) = told.iter().find_map(|name| Some((name, self.param(name)?)))?;
        Some(line(&self.redaction.param(name, value), 40))
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

    /// Routes that are known to take TwiML, but for this one; masked.
    pub(in crate::incidents) fn known(&self) -> Vec<String> {
        let own = format!("{} {} ", self.exchange.request.method, self.path());
        let masked = self.known_routes.iter().map(|route| line(&self.redaction.target(route), 256));
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
