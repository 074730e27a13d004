//! What a request's signature says about a refusal.

use crate::guard::assess::Assessment;
use crate::guard::call::Authenticity;
use crate::guard::causes::status;
use crate::guard::exchange::{Answer, BodyEnd, Exchange};
use crate::guard::finding::Finding;
use crate::guard::follow_up::resign;

/// Whether the backend refused what Twilio did not send: that is as it should be.
pub(super) fn is_rightly_refused(exchange: &Exchange, answer: &Answer) -> bool {
    exchange.call.signature.is_refuted()
        && resign::is_refused(answer.status.as_u16())
        && answer.end == BodyEnd::Complete
        && exchange.attempts.len() <= 1
}

/// A check of the backend that refused what Twilio signed is at fault, not the request.
pub(super) fn note_signature(exchange: &Exchange, answer: &Answer, assessment: &mut Assessment) {
    let Authenticity::Genuine { url } = &exchange.call.signature else { return };
    let is_refusal = |found: &Finding| {
        found.is(&status::unauthorized::CAUSE) || found.is(&status::csrf_refused::CAUSE)
    };
    let Some(at) = assessment.findings.iter().position(is_refusal) else { return };
    let evidence = format!(
        "status {}; the signature is valid for {}; your app's check refused it",
        answer.status,
        without_form(url)
    );
    let named = Finding {
        repair: assessment.findings[at].repair,
        ..Finding::new(&status::genuine_request_refused::CAUSE, evidence)
    };
    if assessment.findings[at].is(&status::csrf_refused::CAUSE) {
        assessment.findings.insert(at, named);
    } else {
        assessment.findings[at] = named;
    }
}

/// A URL without the parameters that Twilio put into its query.
pub(super) fn without_form(url: &str) -> String {
    let Some((bare, query)) = url.split_once('?') else { return url.to_owned() };
    let own: Vec<_> =
        query.split('&').filter(|p| !p.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    if own.is_empty() { bare.to_owned() } else { format!("{bare}?{}", own.join("&")) }
}
