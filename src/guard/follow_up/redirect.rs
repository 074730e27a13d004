//! Redirects of the backend: followed at the own origin, or handed on as TwiML.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::location::Location;
use super::{RequestBody, SecondRequest, with_form};
use crate::guard::exchange::{Attempt, AttemptReason, Exchange, RequestFacts};
use crate::guard::policy::Policy;

/// Follows a redirect of the own origin, always at the configured upstream.
pub(super) fn redirect(
    request: &RequestFacts,
    attempts: &[Attempt],
    last: &Attempt,
    status: StatusCode,
    policy: &Policy,
) -> Option<SecondRequest> {
    let location = Location::parse(last.location.as_deref()?, &last.target)?;
    if !location.is_own(request, policy) {
        return None;
    }
    let keeps_method = matches!(status.as_u16(), 301 | 307 | 308);
    let method =
        if keeps_method || last.method == Method::HEAD { last.method.clone() } else { Method::GET };
    let posted = request.method == Method::POST && !request.body.is_empty();
    let (target, body) = if method == Method::POST {
        (location.target, if posted { RequestBody::Same } else { RequestBody::Empty })
    } else if posted {
        (with_form(&location.target, &request.body)?, RequestBody::Empty)
    } else {
        (location.target, RequestBody::Same)
    };
    let same = attempts
        .iter()
        .filter(|attempt| attempt.method == method && attempt.target == target)
        .count();
    // The same URL once more only as https, which the backend asked for.
    let as_https = location.scheme == Some("https");
    if same > usize::from(as_https) {
        return None;
    }
    Some(SecondRequest { method, target, body, as_https, reason: AttemptReason::Redirect })
}

/// TwiML that sends Twilio to the public URL of the last redirect's target, so that it signs that
/// itself; `None` where Twilio would only come back to the URL that it already asked.
pub(in crate::guard) fn signed_redirect(exchange: &Exchange, policy: &Policy) -> Option<Bytes> {
    let [.., before, last] = exchange.attempts.as_slice() else { return None };
    if exchange.call.steering_fallbacks >= 3 {
        return None;
    }
    let location = Location::parse(before.location.as_deref()?, &before.target)?;
    if location.target == exchange.request.target {
        return None;
    }
    let public_host = location.authority.filter(|authority| {
        let seen = policy.own_hosts.iter().chain(&exchange.request.host);
        seen.into_iter().any(|host| host.eq_ignore_ascii_case(authority))
            && !policy.upstream_authorities().any(|own| own.eq_ignore_ascii_case(authority))
    });
    let origin = match (&policy.public_origin, location.scheme, public_host) {
        (Some(origin), _, _) => origin.clone(),
        (None, Some(scheme), Some(host)) => format!("{scheme}://{host}"),
        // Relative: Twilio resolves it against the URL that it asked.
        _ => String::new(),
    };
    let url = format!("{origin}{}", location.target)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;");
    let method = if last.method == Method::GET { "GET" } else { "POST" };
    Some(Bytes::from(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Redirect method=\"{method}\">{url}</Redirect></Response>"
    )))
}
