//! The other method, where the backend refused the first.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{RequestBody, SecondRequest, with_form};
use crate::guard::exchange::{Attempt, AttemptReason, RequestFacts};
use crate::guard::policy::{OtherMethod, Policy};

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
    if attempts.iter().any(|attempt| attempt.reason == AttemptReason::OtherMethod) {
        return None;
    }
    let params = &request.params;
    let twilios = (params.has("CallSid") || params.has("MessageSid") || params.has("SmsSid"))
        && params.has("AccountSid");
    let (method, target, body) = if last.method == Method::POST {
        if params.iter().any(|(name, _)| ENTERED.contains(&name) || name.starts_with("Payment")) {
            return None;
        }
        (Method::GET, with_form(&last.target, &request.body)?, RequestBody::Empty)
    } else if last.method == Method::GET && twilios {
        let (path, query) = last.target.split_once('?')?;
        let (form, kept) = parted(query);
        let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") };
        (Method::POST, target, RequestBody::Form(Bytes::from(form)))
    } else {
        return None;
    };
    let listed = |allow: &str| {
        allow.split(',').any(|name| name.trim().eq_ignore_ascii_case(method.as_str()))
    };
    if allowed.is_some_and(|allow| !listed(allow)) {
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

/// Twilio's parameters begin with a capital; what else a query holds is the webhook URL's own.
fn parted(query: &str) -> (String, String) {
    let (form, kept): (Vec<_>, Vec<_>) =
        query.split('&').partition(|pair| pair.starts_with(|c: char| c.is_ascii_uppercase()));
    (form.join("&"), kept.join("&"))
}
