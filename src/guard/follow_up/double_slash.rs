//! `//` in the path that Twilio asked: as it is first, then as the backend's routes know it.

use http::StatusCode;

use super::location::Location;
use super::{RequestBody, SecondRequest};
use crate::guard::exchange::{Attempt, AttemptReason, RequestFacts};
use crate::guard::links;
use crate::guard::policy::Policy;

/// Asks once more with each `//` of the path as one slash, where the path with `//` led nowhere.
///
/// A 302 or 303 to anywhere but the collapsed path may be the end of what the request did, so that
/// it is an ordinary redirect.
pub(super) fn collapsed(
    request: &RequestFacts,
    attempts: &[Attempt],
    last: &Attempt,
    status: StatusCode,
    policy: &Policy,
) -> Option<SecondRequest> {
    // What became another method on the way is no longer the request as it came.
    if last.method != request.method
        || attempts.iter().any(|attempt| attempt.reason == AttemptReason::Collapsed)
    {
        return None;
    }
    let target = without_double_slash(&last.target)?;
    let led_nowhere = match status.as_u16() {
        404 | 405 => true,
        301 | 302 | 303 | 307 | 308 => leads_to(&target, request, last, policy),
        _ => false,
    };
    led_nowhere.then(|| SecondRequest {
        method: last.method.clone(),
        as_https: Location::parse(last.location.as_deref().unwrap_or_default(), &last.target)
            .is_some_and(|location| location.scheme == Some("https")),
        target,
        body: RequestBody::Same,
        reason: AttemptReason::Collapsed,
    })
}

/// Whether the redirect leads to the same path without `//`, at the own origin.
fn leads_to(target: &str, request: &RequestFacts, last: &Attempt, policy: &Policy) -> bool {
    let location = last.location.as_deref().and_then(|to| Location::parse(to, &last.target));
    let path = |target: &str| target.split('?').next().unwrap_or_default().to_owned();
    location.is_some_and(|location| {
        path(&location.target) == path(target) && location.is_own(request, policy)
    })
}

/// A target whose path has `//`, without; the query is left alone.
fn without_double_slash(target: &str) -> Option<String> {
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    links::collapsed(path).map(|path| format!("{path}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_path_is_collapsed() {
        for (target, expected) in [
            ("//voice", Some("/voice")),
            ("/a///b//?u=https://x", Some("/a/b/?u=https://x")),
            ("/a/b?u=https://x", None),
            ("/", None),
        ] {
            assert_eq!(without_double_slash(target).as_deref(), expected, "{target}");
        }
    }
}
