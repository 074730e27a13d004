//! The other method, where the backend refused the first.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{RequestBody, SecondRequest, with_form};
use crate::guard::exchange::{Attempt, AttemptReason, RequestFacts};
use crate::guard::policy::{OtherMethod, Policy};
use crate::twilio::Params;

/// Parameters after which a POST is no question that may be asked twice, nor in a URL.
const ENTERED: [&str; 7] = [
    "Digits",
    "SpeechResult",
    "UnstableSpeechResult",
    "PaymentToken",
    "PaymentCardNumber",
    "SecurityCode",
    "ExpirationDate",
];

/// Tries the other method where the first changed nothing for certain: the backend refused it.
pub(super) fn other_method(
    request: &RequestFacts,
    attempts: &[Attempt],
    last: &Attempt,
    status: StatusCode,
    policy: &Policy,
) -> Option<SecondRequest> {
    let allowed = match (policy.other_method, status.as_u16()) {
        (OtherMethod::Never, _) | (OtherMethod::On405, 404 | 501) => return None,
        (_, 405) => last.allow.as_deref(),
        _ => None,
    };
    if attempts.iter().any(|attempt| changes_method(&attempt.reason)) {
        return None;
    }
    let (method, target, body) = if last.method == Method::POST {
        if holds_entered(&request.params) {
            return None;
        }
        (Method::GET, with_form(&last.target, &request.body)?, RequestBody::Empty)
    } else if last.method == Method::GET && is_twilios(&request.params) {
        let (target, form) = as_post(&last.target)?;
        (Method::POST, target, RequestBody::Form(form))
    } else {
        return None;
    };
    if !may_be(&method, allowed) {
        return None;
    }
    Some(SecondRequest {
        method,
        target,
        body,
        as_https: false,
        reason: AttemptReason::OtherMethod,
    })
}

/// Whether an attempt was one with another method than the one before.
pub(super) fn changes_method(reason: &AttemptReason) -> bool {
    matches!(reason, AttemptReason::OtherMethod | AttemptReason::PostAgain)
}

/// Whether something that a caller entered is among the parameters.
pub(super) fn holds_entered(params: &Params) -> bool {
    params.iter().any(|(name, _)| ENTERED.contains(&name) || name.starts_with("Payment"))
}

/// Whether the parameters are those of one of Twilio's webhooks.
pub(super) fn is_twilios(params: &Params) -> bool {
    (params.has("CallSid") || params.has("MessageSid") || params.has("SmsSid"))
        && params.has("AccountSid")
}

/// Whether an Allow header, where there is one, lists a method.
pub(super) fn may_be(method: &Method, allow: Option<&str>) -> bool {
    allow.is_none_or(|allow| {
        allow.split(',').any(|name| name.trim().eq_ignore_ascii_case(method.as_str()))
    })
}

/// The target and form of a POST that is what this GET was: Twilio's parameters begin with a
/// capital; what else a query holds is the webhook URL's own.
pub(super) fn as_post(target: &str) -> Option<(String, Bytes)> {
    let (path, query) = target.split_once('?')?;
    let (form, kept): (Vec<_>, Vec<_>) =
        query.split('&').partition(|pair| pair.starts_with(|c: char| c.is_ascii_uppercase()));
    let kept = kept.join("&");
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") };
    Some((target, Bytes::from(form.join("&"))))
}
