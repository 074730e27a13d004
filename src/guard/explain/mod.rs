//! Explaining a saved answer: where it breaks, and what the guard would make of it.
//!
//! [`paste::read`] turns what a terminal showed, or what Twilio logged, into an outcome; [`explain`]
//! judges it as the proxy would, puts the result into one sentence and finds the fix for the
//! framework that gave itself away. Drawing it is the caller's.

mod asked;
pub mod catalogue;
mod curl_error;
mod event;
pub mod frameworks;
mod head;
pub mod paste;
mod powershell;
mod request;
mod terminal;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::causes::{self, Level, Stage};
use super::{
    Attempt, AttemptReason, CallFacts, Exchange, Finding, Judgement, Outcome, Policy,
    SecondRequest, Verdict, follow_up, judge,
};
pub use asked::{Asked, NotAUrl, SlotFrom};
pub use event::Logged;
use frameworks::{Fix, Recognised};
use paste::{Missing, Paste};
pub use request::Request;

/// What is to be said of one answer.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Where it breaks, in one sentence (evidence as the backend sent it).
    pub sentence: String,
    /// What was judged.
    pub exchange: Exchange,
    /// How it was judged; with a second request, its delivery is only what comes if that fails.
    pub judgement: Judgement,
    /// What the guard would ask the backend before it delivers anything, if it would.
    pub second: Option<SecondRequest>,
    /// Whether the paste shows the answer's body; without it only the head was judged, and what
    /// would be delivered is not known.
    pub body_is_known: bool,
    /// What Twilio itself logged, if that is known.
    pub logged: Option<Logged>,
    /// The framework that made the answer.
    pub recognised: Option<Recognised>,
    /// What to write in that framework, by cause.
    pub fixes: Vec<(&'static str, &'static Fix)>,
}

impl Explanation {
    /// Whether there is something to fix: anything but an answer that Twilio takes as it is.
    pub fn found_something(&self) -> bool {
        self.second.is_some()
            || !self.body_is_known
            || self.logged.is_some()
            || self.judgement.verdict != Verdict::Untouched
            || self.faults().next().is_some()
    }

    /// Whether it matters which host the answer came from: a redirect to a whole URL, or an odd
    /// link.
    pub fn depends_on_the_own_host(&self) -> bool {
        let location = self.exchange.attempts.first().and_then(|first| first.location.as_deref());
        location.is_some_and(|location| location.contains("://"))
            || self.judgement.findings.iter().any(|finding| finding.cause.stage == Stage::Links)
    }

    /// Whether what is delivered can be said.
    pub fn delivery_is_known(&self) -> bool {
        self.second.is_none() && self.body_is_known
    }

    /// The findings that make Twilio's caller suffer.
    pub fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.judgement.findings.iter().filter(|finding| finding.cause.level == Level::Fault)
    }
}

/// Explains a pasted answer under a policy. Total, like the judge.
pub fn explain(paste: &Paste, asked: &Asked, policy: &Policy) -> Explanation {
    let policy = &asked.policy(policy);
    let exchange = exchange(paste, asked);
    let second =
        follow_up(exchange.slot, &exchange.request, &exchange.attempts, &exchange.outcome, policy);
    let mut judgement = judge(&exchange, policy);
    if let Some(finding) = second.as_ref().and_then(|second| not_final(second, &exchange)) {
        judgement.findings = vec![finding];
    }
    let body_is_known = !paste.lacks(Missing::Body);
    if !body_is_known {
        let needs_no_body = |stage| stage <= Stage::Status || stage == Stage::Stream;
        judgement.findings.retain(|finding| needs_no_body(finding.cause.stage));
    }
    let (recognised, fixes) = remedies(&exchange, &judgement);
    let sentence = match &paste.logged {
        Some(logged) if !body_is_known && judgement.findings.is_empty() => said_by_twilio(logged),
        _ if !body_is_known && judgement.findings.is_empty() => {
            "The body is not in the paste; its head alone shows nothing wrong.".to_owned()
        }
        _ if paste.lacks(Missing::RestOfBody) && judgement.verdict != Verdict::Untouched => {
            "The paste ends before the answer does: what follows holds for what is there."
                .to_owned()
        }
        _ => sentence(&judgement),
    };
    Explanation {
        sentence,
        exchange,
        judgement,
        second,
        body_is_known,
        logged: paste.logged.clone(),
        recognised,
        fixes,
    }
}

/// The framework behind an answer, and what to write in it.
fn remedies(
    exchange: &Exchange,
    judgement: &Judgement,
) -> (Option<Recognised>, Vec<(&'static str, &'static Fix)>) {
    let Outcome::Answered(answer) = &exchange.outcome else { return (None, Vec::new()) };
    let text = String::from_utf8_lossy(&judgement.decoded);
    let recognised = frameworks::recognise(&text, &answer.headers);
    let status = answer.status.as_u16();
    let fixes = recognised.as_ref().map_or_else(Vec::new, |recognised| {
        frameworks::fixes(recognised.framework, &judgement.findings, status, &text)
    });
    (recognised, fixes)
}

fn said_by_twilio(logged: &Logged) -> String {
    let what = logged.code.map_or_else(|| "an event without code".to_owned(), catalogue::code);
    match &logged.message {
        Some(message) => {
            format!("Twilio logged {what}: {}.", one_line(message).trim_end_matches('.'))
        }
        None => format!("Twilio logged {what}; the answer itself is not in the event."),
    }
}

fn exchange(paste: &Paste, asked: &Asked) -> Exchange {
    let text = |name: &http::HeaderName| match &paste.outcome {
        Outcome::Answered(answer) => {
            answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        }
        Outcome::Failed(_) => None,
    };
    let attempt = Attempt {
        method: asked.method.clone(),
        target: asked.target.clone(),
        reason: AttemptReason::First,
        status: match &paste.outcome {
            Outcome::Answered(answer) => Some(answer.status),
            Outcome::Failed(_) => None,
        },
        location: text(&http::header::LOCATION),
        allow: text(&http::header::ALLOW),
    };
    Exchange {
        slot: asked.slot,
        request: Arc::new(asked.facts()),
        attempts: vec![attempt],
        outcome: paste.outcome.clone(),
        elapsed: Duration::ZERO,
        call: CallFacts::default(),
    }
}

fn sentence(judgement: &Judgement) -> String {
    let fault = judgement.findings.iter().find(|finding| finding.cause.level == Level::Fault);
    if let Some(finding) = fault {
        let place = match finding.place {
            Some(place) => format!("at {place}"),
            None => whereabouts(finding.cause.stage).to_owned(),
        };
        return format!("Breaks {place}: {}.", said_of(finding));
    }
    match (judgement.verdict, judgement.findings.first()) {
        (Verdict::Untouched, None) if judgement.delivery.status == StatusCode::UNAUTHORIZED => {
            "Twilio answers this challenge if its URL carries credentials; else it logs 11200."
                .to_owned()
        }
        (Verdict::Untouched, None) => "Twilio takes this answer as it is.".to_owned(),
        (Verdict::Untouched, Some(warning)) => {
            format!("Twilio takes this answer as it is; beware: {}.", said_of(warning))
        }
        (_, Some(warning)) => format!("Twilio takes this answer, but: {}.", said_of(warning)),
        (verdict, None) => format!("The guard would have this answer {}.", verdict.name()),
    }
}

fn said_of(finding: &Finding) -> String {
    let what = finding.cause.explain.trim_end_matches('.');
    let evidence = one_line(&finding.evidence);
    if evidence.is_empty() { what.to_owned() } else { format!("{what}: {evidence}") }
}

/// Evidence without its line ends.
pub fn one_line(text: &str) -> String {
    let lines = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

fn whereabouts(stage: Stage) -> &'static str {
    match stage {
        Stage::Transport => "before there is a whole answer",
        Stage::Status => "at the status line",
        Stage::Coding => "at the compression",
        Stage::Charset => "at the encoding",
        Stage::Document => "at the body",
        Stage::Grammar => "at the verbs",
        Stage::Links => "at a URL",
        Stage::Headers => "at the headers",
        Stage::Stream => "at the WebSocket",
    }
}

/// A first answer that is not the one that counts: the redirect or the wrong method is what is
/// wrong with it.
fn not_final(second: &SecondRequest, exchange: &Exchange) -> Option<Finding> {
    let slug = match &second.reason {
        AttemptReason::Redirect => "redirect-followed",
        AttemptReason::OtherMethod => "wrong-method",
        AttemptReason::Collapsed => "double-slash-in-request",
        AttemptReason::PostAgain => "post-lost",
        AttemptReason::First | AttemptReason::Resent | AttemptReason::Resigned { .. } => {
            return None;
        }
    };
    let first = exchange.attempts.first()?;
    let status = first.status.map(|status| status.as_u16().to_string()).unwrap_or_default();
    let evidence = match (&second.reason, &first.location, &first.allow) {
        (AttemptReason::Redirect, Some(location), _) => format!("{status} to {location}"),
        (AttemptReason::OtherMethod, _, Some(allow)) => format!("{status}, Allow: {allow}"),
        _ => status,
    };
    causes::by_slug(slug).map(|cause| Finding::new(cause, evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::Slot;

    fn explained(input: &str) -> Explanation {
        let paste = paste::read(input.as_bytes());
        explain(&paste, &Asked::in_slot(Slot::Voice), &Policy::default())
    }

    #[test]
    fn the_sentence_says_where_and_what() {
        let cases = [
            (
                "HTTP/1.1 200 OK\nContent-Type: text/xml\n\n<Response><Say>a & b</Say></Response>",
                "Breaks at line 1 column 18: a bare `&`",
            ),
            ("HTTP/1.1 502 Bad Gateway\nContent-Type: text/plain\n\n", "Breaks at "),
            (
                "curl: (7) Failed to connect to localhost port 5000",
                "Breaks before there is a whole answer: nobody listens",
            ),
            (
                "HTTP/1.1 200 OK\nContent-Type: text/xml\n\n<Response/>",
                "Twilio takes this answer as it is.",
            ),
            (
                "HTTP/1.1 200 OK\nContent-Type: text/html\n\n<Response/>",
                "Twilio takes this answer, but: good TwiML as text/html",
            ),
        ];
        for (input, expected) in cases {
            let explanation = explained(input);
            assert!(explanation.sentence.starts_with(expected), "{}", explanation.sentence);
            assert!(!explanation.sentence.contains('\n'));
            assert_eq!(explanation.found_something(), !expected.ends_with("as it is."));
        }
    }

    #[test]
    fn a_challenge_is_not_simply_fine() {
        let challenge = "HTTP/1.1 401 Unauthorized\nWWW-Authenticate: Basic realm=\"x\"\n\n";
        assert!(explained(challenge).sentence.contains("challenge"));
    }

    #[test]
    fn whose_host_it_is_matters_for_whole_urls() {
        let redirect = |to: &str| explained(&format!("HTTP/1.1 301 Moved\nLocation: {to}\n\n"));
        assert!(redirect("https://pbx.example.com/").depends_on_the_own_host());
        assert!(!redirect("/voice/").depends_on_the_own_host());
    }

    #[test]
    fn a_redirect_is_followed_and_said_to_be() {
        let explanation = explained("HTTP/1.1 302 Found\nLocation: /login\n\n");
        assert_eq!(explanation.second.as_ref().map(|s| s.target.as_str()), Some("/login"));
        let slugs: Vec<_> = explanation.judgement.findings.iter().map(|f| f.cause.slug).collect();
        assert_eq!(slugs, ["redirect-followed"]);
        let away = explained("HTTP/1.1 302 Found\nLocation: https://www.example.org/\n\n");
        assert_eq!(away.second, None);
        assert_eq!(away.judgement.findings.first().map(|f| f.cause.slug), Some("redirect-refused"));
    }
}
