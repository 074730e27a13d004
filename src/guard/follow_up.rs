//! Whether the backend is asked a second time, and what.

pub mod resign;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::exchange::{Attempt, AttemptReason, Exchange, Outcome, RequestFacts};
use super::policy::{OtherMethod, Policy, Redirects};

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
/// in observe mode.
pub fn follow_up(
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
    match answer.status.as_u16() {
        301 | 302 | 303 | 307 | 308 if policy.redirects == Redirects::Follow => {
            redirect(request, attempts, last, answer.status, policy)
        }
        405 | 404 | 501 => other_method(request, attempts, last, answer.status, policy),
        _ => None,
    }
}

/// Follows a redirect of the own origin, always at the configured upstream.
fn redirect(
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
fn other_method(
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

/// A Location header, resolved against the target it came for.
struct Location<'a> {
    scheme: Option<&'static str>,
    authority: Option<&'a str>,
    target: String,
}

impl<'a> Location<'a> {
    fn parse(location: &'a str, base: &str) -> Option<Self> {
        let location = location.trim();
        let location = location.split('#').next()?;
        if location.chars().any(|c| c.is_control() || c == ' ') {
            return None;
        }
        let lower = location.get(..8.min(location.len()))?.to_ascii_lowercase();
        let (scheme, rest) = if lower.starts_with("https://") {
            (Some("https"), location.get(8..)?)
        } else if lower.starts_with("http://") {
            (Some("http"), location.get(7..)?)
        } else if let Some(rest) = location.strip_prefix("//") {
            (None, rest)
        } else if location.split(['/', '?']).next()?.contains(':') {
            return None;
        } else {
            return Some(Self { scheme: None, authority: None, target: resolve(location, base)? });
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let target = match path.chars().next() {
            None => "/".to_owned(),
            Some('?') => format!("/{path}"),
            _ => path.to_owned(),
        };
        Some(Self { scheme, authority: Some(authority), target })
    }

    /// Whether it stays at the backend: its own address, the request's Host, or the public host.
    fn is_own(&self, request: &RequestFacts, policy: &Policy) -> bool {
        let Some(authority) = self.authority else { return true };
        let bare = |authority: &str| {
            let lower = authority.to_ascii_lowercase();
            let port = |port: &str| lower.strip_suffix(port).map(str::to_owned);
            port(":443").or_else(|| port(":80")).unwrap_or(lower)
        };
        let own = bare(authority);
        let hosts =
            request.host.iter().chain([&policy.upstream_authority]).chain(&policy.own_hosts);
        !own.is_empty() && !own.contains('@') && hosts.into_iter().any(|host| bare(host) == own)
    }
}

/// A relative reference against path and query (RFC 3986, section 5.2).
pub(super) fn resolve(reference: &str, base: &str) -> Option<String> {
    let base_path = base.split('?').next().unwrap_or("/");
    if reference.is_empty() {
        return Some(base.to_owned());
    }
    if reference.starts_with('?') {
        return Some(format!("{base_path}{reference}"));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (reference, String::new()),
    };
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", base_path.rsplit_once('/').map_or("", |(folder, _)| folder))
    };
    let mut segments: Vec<&str> = Vec::new();
    let parts: Vec<&str> = whole.strip_prefix('/')?.split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        match *part {
            "." if last => segments.push(""),
            "." => {}
            ".." => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    Some(format!("/{}{query}", segments.join("/")))
}

/// TwiML that sends Twilio to the public URL of the last redirect's target, so that it signs that
/// itself; `None` where Twilio would only come back to the URL that it already asked.
pub(super) fn signed_redirect(exchange: &Exchange, policy: &Policy) -> Option<Bytes> {
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
            && !authority.eq_ignore_ascii_case(&policy.upstream_authority)
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

#[cfg(test)]
mod tests {
    use http::HeaderMap;

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
        follow_up(request, &[attempt], &Outcome::Answered(answer), &policy)
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

    #[test]
    fn relative_references_are_resolved() {
        for (reference, expected) in [
            ("b", "/a/b"),
            ("../c", "/c"),
            ("./", "/a/"),
            ("?q=1", "/a/x?q=1"),
            ("/d/./e", "/d/e"),
            ("", "/a/x?y=1"),
        ] {
            assert_eq!(resolve(reference, "/a/x?y=1").as_deref(), Some(expected), "{reference}");
        }
    }
}
