//! The judge: the stages in their order.

mod callback;
mod signed;
mod stream;

use bytes::Bytes;

use callback::{acknowledged, callback};
use signed::{is_rightly_refused, note_signature, without_form};
use stream::stream;

use super::assess::{Assessment, Look, Verdictless, assess_document, note_stream};
use super::causes::{CAUSES, Cause, Check, Level, headers, status};
use super::cookies;
use super::deliver::deliver;
use super::exchange::{Answer, AttemptReason, BodyEnd, Exchange, OddLine, OddPart, Outcome};
use super::finding::{Finding, Grade};
use super::fit::fit;
use super::follow_up::{self, resign};
use super::judgement::Judgement;
use super::policy::Policy;
use super::words;
use crate::twilio::Slot;

/// Most findings about lines of one head.
const MAX_LINES: usize = 8;

/// Judges what the backend gave for one webhook request.
///
/// Total: any bytes give a judgement, in bounded time. What it delivers, judged again, is
/// `untouched`.
pub fn judge(exchange: &Exchange, policy: &Policy) -> Judgement {
    match (fit(exchange, policy), &exchange.outcome) {
        (Some(fit), Outcome::Answered(answer)) => fit.judgement(answer),
        _ => judge_in_full(exchange, policy),
    }
}

/// The same for what [`fit`] did not take: every stage is gone through, whatever the answer.
pub fn judge_in_full(exchange: &Exchange, policy: &Policy) -> Judgement {
    judge_by(exchange, policy, Look::Quick)
}

/// The same by the full reader alone, to hold the fast path against.
pub fn judge_by_reading(exchange: &Exchange, policy: &Policy) -> Judgement {
    judge_by(exchange, policy, Look::Full)
}

fn judge_by(exchange: &Exchange, policy: &Policy, look: Look) -> Judgement {
    if let Outcome::Answered(answer) = &exchange.outcome
        && is_rightly_refused(exchange, answer)
    {
        let decoded = answer.body.clone();
        let outcome = Verdictless::Accepted;
        let assessment = Assessment { findings: Vec::new(), outcome, decoded };
        return deliver(exchange, policy, assessment);
    }
    let mut assessment = match (&exchange.outcome, exchange.slot) {
        (_, Slot::Stream) => stream(exchange),
        (Outcome::Failed(failure), slot) => {
            let mut findings = found(|check| match check {
                Check::Failure(find) => find(failure),
                _ => None,
            });
            if slot == Slot::Callback {
                let after =
                    acknowledged(exchange).map_or_else(String::new, |after| format!("; {after}"));
                let evidence = format!("no answer{after}");
                findings.insert(0, Finding::new(&headers::callback_failed::CAUSE, evidence));
            }
            Assessment { findings, outcome: Verdictless::Unfit, decoded: Bytes::new() }
        }
        (Outcome::Answered(answer), Slot::Callback) => callback(exchange, answer),
        (Outcome::Answered(answer), _) => twiml(exchange, answer, policy, look),
    };
    if let Outcome::Answered(answer) = &exchange.outcome
        && exchange.slot != Slot::Stream
    {
        note_signature(exchange, answer, &mut assessment);
        note_head(answer, &mut assessment);
    }
    note_stream(exchange, &mut assessment);
    note_attempts(exchange, &mut assessment);
    let is_answer =
        matches!(exchange.outcome, Outcome::Answered(_)) && exchange.slot != Slot::Stream;
    let is_slow = exchange.elapsed > policy.slow_after && exchange.call.acknowledged.is_none();
    if is_slow && is_answer {
        let evidence = format!("{:.1} s", exchange.elapsed.as_secs_f32());
        assessment.findings.push(Finding::new(&headers::answer_slow::CAUSE, evidence));
    }
    deliver(exchange, policy, assessment)
}

/// Every cause of the catalogue whose check gives evidence.
fn found(evidence: impl Fn(Check) -> Option<String>) -> Vec<Finding> {
    CAUSES.iter().filter_map(|&cause| Some(Finding::new(cause, evidence(cause.check)?))).collect()
}

/// For what in its head readers refuse the answer, and how the body ended, if not as announced.
pub(in crate::guard) fn body_findings(answer: &Answer) -> Vec<Finding> {
    let mut findings = head_findings(answer, Level::Fault);
    findings.extend(found(|check| match check {
        Check::Body(find) => find(answer),
        _ => None,
    }));
    findings
}

/// The odd lines of the head, one finding each.
fn head_findings(answer: &Answer, level: Level) -> Vec<Finding> {
    let finding = |odd: &OddLine| {
        let fits = |cause: &&&'static Cause| {
            matches!(cause.check, Check::Head(part) if part == odd.part) && cause.level == level
        };
        let cause = CAUSES.iter().find(fits)?;
        let evidence = if odd.line.is_empty() {
            odd.why.to_owned()
        } else {
            format!("{}: {}", odd.why, words::first_bytes(&odd.line))
        };
        Some(Finding::new(cause, evidence))
    };
    // A cookie has a cause of its own.
    let lines = answer.odd.lines.iter();
    lines
        .filter(|odd| odd.part != OddPart::Line || !odd.is_named("set-cookie"))
        .filter_map(finding)
        .take(MAX_LINES)
        .collect()
}

/// Cookies that Twilio refuses, one finding each.
pub(in crate::guard) fn cookie_findings(answer: &Answer) -> Vec<Finding> {
    let refused = cookies::of(answer).refused.into_iter().take(MAX_LINES);
    let finding = |evidence| Finding::new(&headers::cookie_refused::CAUSE, evidence);
    refused.map(|evidence| finding(evidence).repaired(Grade::Inferred)).collect()
}

/// The causes of the status, if it is one.
pub(in crate::guard) fn status_finding(answer: &Answer) -> Option<Finding> {
    let fires =
        |cause: &&'static Cause| matches!(cause.check, Check::Status(find) if find(answer.status));
    let cause = CAUSES.iter().copied().find(fires)?;
    Some(Finding::new(cause, format!("status {}", answer.status)))
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
fn twiml(exchange: &Exchange, answer: &Answer, policy: &Policy, look: Look) -> Assessment {
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
        let assessment = assess_document(exchange, answer, policy, look);
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
    let mut assessment = assess_document(exchange, answer, policy, look);
    if refused && let Some(evidence) = rewritten(exchange) {
        let evidence = format!("status {} for {evidence}", answer.status.as_u16());
        assessment.findings.insert(0, Finding::new(&status::rewrite_refused::CAUSE, evidence));
        assessment.outcome = Verdictless::Unfit;
    }
    assessment
}

/// How the last request differs from the one that Twilio signed, if the guard made it differ: a
/// second try, or an alias.
fn rewritten(exchange: &Exchange) -> Option<String> {
    let (last, request) = (exchange.attempts.last()?, &exchange.request);
    let is_aliased = last.reason == AttemptReason::First && last.target != request.target;
    (last.reason.rewrites() || is_aliased).then(|| {
        let (to, from) = (path_of(&last.target), path_of(&request.target));
        format!("{} {to}, which Twilio signed as {} {from}", last.method, request.method)
    })
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// A 401 that asks for Basic or Digest credentials which the request did not carry: Twilio keeps
/// them in the webhook's URL and sends them when asked (Twilio docs, webhook security).
pub fn is_challenge(exchange: &Exchange, answer: &Answer) -> bool {
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

/// Lines of the head that readers pass over are only said; an answer without TwiML that is taken
/// as it is loses what Twilio refuses.
fn note_head(answer: &Answer, assessment: &mut Assessment) {
    if let Verdictless::Accepted = assessment.outcome {
        let faults = head_findings(answer, Level::Fault).into_iter();
        let mut refused: Vec<_> = faults.map(|finding| finding.repaired(Grade::Lossless)).collect();
        refused.extend(cookie_findings(answer));
        if !refused.is_empty() {
            assessment.findings.extend(refused);
            assessment.outcome = Verdictless::Cleaned;
        }
    }
    assessment.findings.extend(head_findings(answer, Level::Warning));
}

/// Second requests that were sent: each is a finding, removed by what the last one gave.
fn note_attempts(exchange: &Exchange, assessment: &mut Assessment) {
    for pair in exchange.attempts.windows(2) {
        let [before, attempt] = pair else { continue };
        let status = before
            .status
            .map_or_else(|| "no status".to_owned(), |status| status.as_u16().to_string());
        let (cause, evidence) = match &attempt.reason {
            AttemptReason::First | AttemptReason::Resent | AttemptReason::Resigned { .. } => {
                continue;
            }
            AttemptReason::Collapsed => (
                &status::double_slash_in_request::CAUSE,
                format!(
                    "{} answered {status}; asked {}",
                    path_of(&before.target),
                    path_of(&attempt.target)
                ),
            ),
            AttemptReason::PostAgain => (
                &status::post_lost::CAUSE,
                format!("GET {} answered {status}; asked again as POST", path_of(&before.target)),
            ),
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
    let Some(url) = resign::accepted(exchange) else { return };
    let is_aliased =
        exchange.attempts.first().is_some_and(|first| first.target != exchange.request.target);
    let why =
        if is_aliased { "Twilio signed the alias of that" } else { "it rebuilds the URL wrongly" };
    let evidence = format!("the app accepts the signature for {}: {why}", without_form(url));
    let finding = Finding::new(&status::signature_resigned::CAUSE, evidence);
    assessment.findings.push(finding.repaired(Grade::Inferred));
    if let Verdictless::Accepted = assessment.outcome {
        assessment.outcome = Verdictless::AcceptedLater;
    }
}
