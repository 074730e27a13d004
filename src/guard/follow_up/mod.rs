//! Whether the backend is asked a second time, and what.

pub mod resign;

use bytes::Bytes;
use http::Method;

use super::exchange::{Attempt, AttemptReason, Outcome, RequestFacts};
use super::policy::{Policy, Redirects};
use crate::twilio::Slot;
use double_slash::collapsed;
use other_method::other_method;
use post_lost::{post_after_page, post_again};
use redirect::redirect;

mod double_slash;
mod location;
mod other_method;
mod post_lost;
mod redirect;

pub(super) use location::resolve;
pub(super) use redirect::signed_redirect;

/// A further request to the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondRequest {
    /// Its method.
    pub method: Method,
    /// Path and query; always sent to the route's own upstream with the first request's Host.
    pub target: String,
    /// Its body.
    pub body: RequestBody,
    /// Whether X-Forwarded-Proto must say `https`.
    pub as_https: bool,
    /// Why.
    pub reason: AttemptReason,
}

/// The body of a further request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// As in the first request, content headers included.
    Same,
    /// None, and no content headers.
    Empty,
    /// This form, as `application/x-www-form-urlencoded`.
    Form(Bytes),
}

/// The first request and three more.
const MAX_ATTEMPTS: usize = 4;

/// Decides on a further request, given what the last of `attempts` gave.
///
/// `None`: the outcome is to be judged as it is. Never more than four attempts in all, never one
/// in observe mode, and never the same twice (but for the same URL as https, which a backend may
/// ask for).
pub fn follow_up(
    slot: Slot,
    request: &RequestFacts,
    attempts: &[Attempt],
    outcome: &Outcome,
    policy: &Policy,
) -> Option<SecondRequest> {
    let Outcome::Answered(answer) = outcome else { return None };
    let last = attempts.last()?;
    if policy.observe || attempts.len() >= MAX_ATTEMPTS {
        return None;
    }
    let status = answer.status;
    let second = match status.as_u16() {
        301 | 302 | 303 | 307 | 308 if policy.redirects == Redirects::Follow => {
            collapsed(request, attempts, last, status, policy)
                .or_else(|| redirect(request, attempts, last, status, policy))
        }
        404 | 405 | 501 => collapsed(request, attempts, last, status, policy)
            .or_else(|| post_again(request, attempts, last, status, policy))
            .or_else(|| other_method(request, attempts, last, status, policy)),
        200..=299 => post_after_page(slot, request, attempts, answer, policy),
        _ => None,
    }?;
    let was_sent = |sent: &Attempt| sent.method == second.method && sent.target == second.target;
    (second.as_https || !attempts.iter().any(was_sent)).then_some(second)
}

/// The target with the form in its query, as Twilio itself asks with GET; `None` if the form is
/// not one that may stand in a URL.
fn with_form(target: &str, form: &Bytes) -> Option<String> {
    if form.is_empty() {
        return Some(target.to_owned());
    }
    let form = std::str::from_utf8(form).ok()?.trim();
    let legal =
        form.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'#' | b'"' | b'<' | b'>'));
    if !legal {
        return None;
    }
    if target.contains(form) {
        return Some(target.to_owned());
    }
    let glue = if target.contains('?') { '&' } else { '?' };
    Some(format!("{target}{glue}{form}"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::super::exchange::{Answer, BodyEnd};
    use super::*;
    use crate::twilio::Params;

    const FORM: &str = "CallSid=CA1&AccountSid=AC1&CallStatus=ringing";

    fn request(method: Method, target: &str, form: &str) -> RequestFacts {
        let mut params = Params::from_form(form.as_bytes());
        params.append_form(target.split_once('?').map_or("", |(_, query)| query).as_bytes());
        RequestFacts {
            method,
            target: target.to_owned(),
            host: Some("pbx.example.com".to_owned()),
            has_authorization: false,
            params,
            body: Bytes::from(form.to_owned()),
        }
    }

    fn next(
        request: &RequestFacts,
        status: u16,
        location: Option<&str>,
        allow: Option<&str>,
    ) -> Option<SecondRequest> {
        let attempt = Attempt {
            method: request.method.clone(),
            target: request.target.clone(),
            reason: AttemptReason::First,
            status: StatusCode::from_u16(status).ok(),
            location: location.map(str::to_owned),
            allow: allow.map(str::to_owned),
        };
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            end: BodyEnd::Complete,
            odd: crate::guard::Oddities::default(),
        };
        let policy =
            Policy { upstream_authority: "127.0.0.1:5000".to_owned(), ..Policy::default() };
        follow_up(Slot::Voice, request, &[attempt], &Outcome::Answered(answer), &policy)
    }

    #[test]
    fn own_redirects_keep_or_lose_the_method_as_twilio_would() {
        let post = request(Method::POST, "/voice", FORM);
        let kept = next(&post, 308, Some("/voice/"), None).unwrap();
        assert_eq!(
            (kept.method, kept.target.as_str(), kept.body),
            (Method::POST, "/voice/", RequestBody::Same)
        );
        let lost = next(&post, 302, Some("http://PBX.example.com/v2?x=1"), None).unwrap();
        assert_eq!(
            (lost.method, lost.target, lost.body),
            (Method::GET, format!("/v2?x=1&{FORM}"), RequestBody::Empty)
        );
        assert!(next(&post, 301, Some("http://127.0.0.1:5000/v2"), None).is_some());
    }

    #[test]
    fn foreign_missing_and_looping_redirects_are_not_followed() {
        let post = request(Method::POST, "/voice", FORM);
        for location in [
            Some("https://login.example.net/"),
            Some("//evil.example.net/voice"),
            None,
            Some("/voice"),
            Some("mailto:x"),
            Some("http://user@pbx.example.com/"),
        ] {
            assert_eq!(next(&post, 307, location, None), None, "{location:?}");
        }
    }

    #[test]
    fn the_same_url_as_https_is_asked_once_more() {
        let second = next(
            &request(Method::POST, "/voice", FORM),
            301,
            Some("https://pbx.example.com/voice"),
            None,
        )
        .unwrap();
        assert!(second.as_https && second.target == "/voice");
    }

    #[test]
    fn the_other_method_is_tried_where_allowed() {
        let post = request(Method::POST, "/voice?lang=en", FORM);
        let get = next(&post, 405, None, Some("GET, HEAD")).unwrap();
        assert_eq!((get.method, get.target), (Method::GET, format!("/voice?lang=en&{FORM}")));
        assert_eq!(next(&post, 405, None, Some("PUT")), None);
        assert_eq!(next(&post, 404, None, None), None);
        let digits = request(Method::POST, "/voice", &format!("{FORM}&Digits=1"));
        assert_eq!(next(&digits, 405, None, None), None);
        let back = next(
            &request(Method::GET, &format!("/voice?lang=en&{FORM}"), ""),
            405,
            None,
            Some("POST"),
        )
        .unwrap();
        assert_eq!(
            (back.method, back.target.as_str(), back.body),
            (Method::POST, "/voice?lang=en", RequestBody::Form(Bytes::from(FORM)))
        );
        assert_eq!(next(&request(Method::GET, "/voice", ""), 405, None, Some("POST")), None);
    }
}
