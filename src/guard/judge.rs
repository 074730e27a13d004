//! The judge: the stages in their order.

use bytes::Bytes;

use super::assess::{Assessment, Verdictless, assess_document};
use super::causes::{CAUSES, Cause, Check, headers, status};
use super::deliver::deliver;
use super::exchange::{Answer, AttemptReason, BodyEnd, Exchange, Outcome};
use super::finding::{Finding, Grade};
use super::follow_up;
use super::judgement::Judgement;
use super::policy::Policy;
use crate::twilio::Slot;

/// Judges what the backend gave for one webhook request.
///
/// Total: any bytes give a judgement, in bounded time. What it delivers, judged again, is
/// `untouched`.
pub fn judge(exchange: &Exchange, policy: &Policy) -> Judgement {
    let mut assessment = match (&exchange.outcome, exchange.slot) {
        (Outcome::Failed(failure), slot) => {
            let mut findings = found(|check| match check {
                Check::Failure(find) => find(failure),
                _ => None,
            });
            if slot == Slot::Callback {
                findings.push(Finding::new(&headers::callback_failed::CAUSE, "no answer"));
            }
            Assessment { findings, outcome: Verdictless::Unfit, decoded: Bytes::new() }
        }
        (Outcome::Answered(answer), Slot::Callback) => callback(answer),
        (Outcome::Answered(answer), Slot::Stream) => Assessment {
            findings: Vec::new(),
            outcome: Verdictless::Accepted,
            decoded: answer.body.clone(),
        },
        (Outcome::Answered(answer), _) => twiml(exchange, answer, policy),
    };
    note_attempts(exchange, &mut assessment);
    if exchange.elapsed > policy.slow_after && matches!(exchange.outcome, Outcome::Answered(_)) {
        let evidence = format!("{:.1} s", exchange.elapsed.as_secs_f32());
        assessment.findings.push(Finding::new(&headers::answer_slow::CAUSE, evidence));
    }
    deliver(exchange, policy, assessment)
}

/// Every cause of the catalogue whose check gives evidence.
fn found(evidence: impl Fn(Check) -> Option<String>) -> Vec<Finding> {
    CAUSES.iter().filter_map(|&cause| Some(Finding::new(cause, evidence(cause.check)?))).collect()
}

/// How the body ended, if not as announced.
pub(super) fn body_findings(answer: &Answer) -> Vec<Finding> {
    found(|check| match check {
        Check::Body(find) => find(answer),
        _ => None,
    })
}

/// The causes of the status, if it is one.
pub(super) fn status_finding(answer: &Answer) -> Option<Finding> {
    let fires =
        |cause: &&'static Cause| matches!(cause.check, Check::Status(find) if find(answer.status));
    let cause = CAUSES.iter().copied().find(fires)?;
    Some(Finding::new(cause, format!("status {}", answer.status)))
}

/// A status callback: whatever came is fine, as long as it says that it arrived.
fn callback(answer: &Answer) -> Assessment {
    let mut findings = body_findings(answer);
    findings
        .extend(status_finding(answer).filter(|finding| !finding.is(&status::odd_success::CAUSE)));
    if answer.status.is_redirection() {
        findings.push(redirect_refused(answer));
    }
    let outcome = if findings.is_empty() {
        Verdictless::Accepted
    } else {
        findings.push(Finding::new(
            &headers::callback_failed::CAUSE,
            format!("status {}", answer.status),
        ));
        Verdictless::Unfit
    };
    Assessment { findings, outcome, decoded: answer.body.clone() }
}

fn redirect_refused(answer: &Answer) -> Finding {
    let location = answer
        .headers
        .get(http::header::LOCATION)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let evidence = match location {
        Some(location) => format!("{} to {location}", answer.status.as_u16()),
        None => format!("{} without Location", answer.status.as_u16()),
    };
    Finding::new(&status::redirect_refused::CAUSE, evidence)
}

/// A slot that takes TwiML.
fn twiml(exchange: &Exchange, answer: &Answer, policy: &Policy) -> Assessment {
    if answer.status.is_redirection() {
        let findings = vec![redirect_refused(answer)];
        return Assessment { findings, outcome: Verdictless::Unfit, decoded: answer.body.clone() };
    }
    let refused = matches!(answer.status.as_u16(), 401 | 403);
    if refused
        && exchange.attempts.last().is_some_and(|attempt| attempt.reason == AttemptReason::Redirect)
    {
        let to = follow_up::signed_redirect(exchange, policy);
        let finding = Finding::new(
            &status::redirect_target_unauthorized::CAUSE,
            format!(
                "status {} from {}",
                answer.status.as_u16(),
                exchange.attempts.last().map_or("", |attempt| &attempt.target)
            ),
        );
        let assessment = assess_document(exchange, answer, policy);
        return match to {
            Some(document) if policy.repairs.accepts(Grade::Inferred) => Assessment {
                findings: vec![finding.repaired(Grade::Inferred)],
                outcome: Verdictless::SignAgain(document),
                decoded: assessment.decoded,
            },
            _ => Assessment {
                findings: [vec![finding], assessment.findings].concat(),
                outcome: Verdictless::Unfit,
                decoded: assessment.decoded,
            },
        };
    }
    if is_challenge(exchange, answer) {
        return Assessment {
            findings: Vec::new(),
            outcome: Verdictless::Accepted,
            decoded: answer.body.clone(),
        };
    }
    assess_document(exchange, answer, policy)
}

/// A 401 that asks for Basic or Digest credentials which the request did not carry: Twilio keeps
/// them in the webhook's URL and sends them when asked (Twilio docs, webhook security).
fn is_challenge(exchange: &Exchange, answer: &Answer) -> bool {
    let asks = |value: &http::HeaderValue| {
        let value = String::from_utf8_lossy(value.as_bytes()).trim_start().to_ascii_lowercase();
        value.starts_with("basic") || value.starts_with("digest")
    };
    answer.status.as_u16() == 401
        && answer.end == BodyEnd::Complete
        && !exchange.request.has_authorization
        && exchange.attempts.len() <= 1
        && answer.headers.get_all(http::header::WWW_AUTHENTICATE).iter().any(asks)
}

/// Second requests that were sent: each is a finding, removed by what the last one gave.
fn note_attempts(exchange: &Exchange, assessment: &mut Assessment) {
    for pair in exchange.attempts.windows(2) {
        let [before, attempt] = pair else { continue };
        let status = before
            .status
            .map_or_else(|| "no status".to_owned(), |status| status.as_u16().to_string());
        let (cause, evidence) = match attempt.reason {
            AttemptReason::First => continue,
            AttemptReason::OtherMethod => (
                &status::wrong_method::CAUSE,
                format!("{} answered {status}; asked again with {}", before.method, attempt.method),
            ),
            AttemptReason::Redirect => (
                &status::redirect_followed::CAUSE,
                format!(
                    "{} {} answered {status} to {}",
                    before.method,
                    before.target,
                    before.location.as_deref().unwrap_or(&attempt.target)
                ),
            ),
        };
        assessment.findings.push(Finding::new(cause, evidence).repaired(Grade::Inferred));
        if let Verdictless::Accepted = assessment.outcome {
            // The first answer was none that Twilio takes: what leaves is not what it was.
            assessment.outcome = Verdictless::AcceptedLater;
        }
    }
}
