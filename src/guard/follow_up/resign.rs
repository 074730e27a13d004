//! A genuine request whose signature the backend's own check refused: signed anew, for one after
//! another of the URLs that apps rebuild in place of the one that Twilio asked for.

use http::Method;

use super::{RequestBody, SecondRequest};
use crate::guard::call::Authenticity;
use crate::guard::exchange::{AttemptReason, Exchange, Outcome};
use crate::guard::policy::Policy;

/// Most URLs that a request is signed anew for.
const MAX_RESIGNED: usize = 12;

/// How an app rebuilds the URL that a request was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    origin: String,
    keeps_query: bool,
    /// Whether a slash at the path's end is put there, or taken away.
    turns_slash: bool,
}

impl Rebuilt {
    /// The URL of a request with this path and query, as such an app has it.
    pub fn url(&self, target: &str) -> String {
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let path = match (self.turns_slash, path.strip_suffix('/')) {
            (false, _) => path.to_owned(),
            (true, Some(bare)) => bare.to_owned(),
            (true, None) => format!("{path}/"),
        };
        format!("{}{path}{}", self.origin, if self.keeps_query { query } else { "" })
    }
}

/// The next request that is signed anew, where the route asks for that, Twilio signed the request,
/// and the backend refused it and all that were signed anew before.
pub fn resign(exchange: &Exchange, policy: &Policy) -> Option<SecondRequest> {
    let Authenticity::Genuine { url: genuine } = &exchange.call.signature else { return None };
    let Outcome::Answered(answer) = &exchange.outcome else { return None };
    let request = &exchange.request;
    if !policy.resign
        || policy.observe
        || !matches!(request.method, Method::GET | Method::POST)
        || !is_refused(answer.status.as_u16())
        || crate::guard::judge::is_challenge(exchange, answer)
    {
        return None;
    }
    let own = signed_first(exchange, genuine)?;
    let mut tried = Vec::new();
    for (at, attempt) in exchange.attempts.iter().enumerate() {
        match &attempt.reason {
            AttemptReason::Resigned { url } => tried.push(url),
            AttemptReason::First if at == 0 => tried.push(&own),
            _ => return None,
        }
    }
    if tried.len() > MAX_RESIGNED {
        return None;
    }
    let target = &exchange.attempts.first()?.target;
    let usual = usual(exchange, genuine, policy).into_iter().map(|form| form.url(target));
    let url = std::iter::once(own.clone()).chain(usual).find(|url| !tried.contains(&url))?;
    Some(SecondRequest {
        method: request.method.clone(),
        target: target.clone(),
        body: RequestBody::Same,
        as_https: false,
        reason: AttemptReason::Resigned { url },
    })
}

/// The wrong URL that the backend was shown to check signatures against: it answered the request
/// that was signed for it.
pub fn accepted(exchange: &Exchange) -> Option<&str> {
    let Authenticity::Genuine { url: genuine } = &exchange.call.signature else { return None };
    let last = exchange.attempts.last()?;
    let AttemptReason::Resigned { url } = &last.reason else { return None };
    (*url != signed_first(exchange, genuine)? && last.status?.is_success()).then_some(url)
}

/// How the backend was shown to rebuild its URLs.
pub fn rebuilt(exchange: &Exchange, policy: &Policy) -> Option<Rebuilt> {
    let Authenticity::Genuine { url: genuine } = &exchange.call.signature else { return None };
    let accepted = accepted(exchange)?;
    let target = &exchange.attempts.first()?.target;
    usual(exchange, genuine, policy).into_iter().find(|form| form.url(target) == accepted)
}

/// The URL that the first request was signed for: Twilio's, or the one that an alias maps it to.
fn signed_first(exchange: &Exchange, genuine: &str) -> Option<String> {
    let target = &exchange.attempts.first()?.target;
    if *target == exchange.request.target {
        return Some(genuine.to_owned());
    }
    Some(at(genuine, target))
}

/// Whether a status says that a check refused the request.
pub const fn is_refused(status: u16) -> bool {
    matches!(status, 401 | 403)
}

/// How apps usually rebuild URLs wrongly, the most frequent first: as http, without the query, with
/// the host or port that they listen on, with another slash at the end.
fn usual(exchange: &Exchange, genuine: &str, policy: &Policy) -> Vec<Rebuilt> {
    let public = authority(genuine);
    let inner = policy.upstream_authority.as_str();
    let (bare_inner, port) = inner.rsplit_once(':').unwrap_or((inner, ""));
    let bare_public = public.rsplit_once(':').map_or(public, |(host, _)| host);
    let with_port = format!("{bare_public}:{port}");
    let said = exchange.request.host.as_deref().unwrap_or(public);
    let mut all: Vec<Rebuilt> = Vec::new();
    let mut add = |scheme: &str, authority: &str, keeps_query: bool, turns_slash: bool| {
        let form = Rebuilt { origin: format!("{scheme}://{authority}"), keeps_query, turns_slash };
        if !authority.is_empty() && !all.contains(&form) {
            all.push(form);
        }
    };
    add("http", public, true, false);
    if exchange.request.target.contains('?') {
        add("https", public, false, false);
        add("http", public, false, false);
    }
    add("http", said, true, false);
    add("https", said, true, false);
    add("http", inner, true, false);
    add("https", inner, true, false);
    add("http", bare_inner, true, false);
    add("http", &with_port, true, false);
    add("https", &with_port, true, false);
    add("https", public, true, true);
    add("http", public, true, true);
    all
}

/// This path and query on the URL's host.
fn at(url: &str, target: &str) -> String {
    let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
    format!("{scheme}://{}{target}", authority(url))
}

/// Host and port of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::guard::{Answer, Attempt, BodyEnd, CallFacts, Oddities, RequestFacts};
    use crate::twilio::{Params, Slot};

    const GENUINE: &str = "https://user:pw@pbx.example.com/voice?x=1";

    fn refused(status: u16) -> Exchange {
        let attempt = Attempt {
            method: Method::POST,
            target: "/voice?x=1".to_owned(),
            reason: AttemptReason::First,
            status: StatusCode::from_u16(status).ok(),
            location: None,
            allow: None,
        };
        Exchange {
            slot: Slot::Voice,
            request: Arc::new(RequestFacts {
                method: Method::POST,
                target: "/voice?x=1".to_owned(),
                host: Some("pbx.example.com".to_owned()),
                has_authorization: false,
                params: Params::default(),
                body: Bytes::new(),
            }),
            attempts: vec![attempt],
            outcome: Outcome::Answered(Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                body: Bytes::new(),
                end: BodyEnd::Complete,
                odd: Oddities::default(),
            }),
            elapsed: Duration::ZERO,
            call: CallFacts {
                signature: Authenticity::Genuine { url: GENUINE.to_owned() },
                ..CallFacts::default()
            },
        }
    }

    fn policy() -> Policy {
        let upstream_authority = "127.0.0.1:5000".to_owned();
        Policy { resign: true, upstream_authority, ..Policy::default() }
    }

    /// The URL that is signed for next; the exchange goes on as if the backend refused that too.
    fn next(exchange: &mut Exchange, policy: &Policy) -> Option<String> {
        let second = resign(exchange, policy)?;
        let AttemptReason::Resigned { url } = second.reason.clone() else { panic!("{second:?}") };
        assert_eq!((second.method, second.target.as_str()), (Method::POST, "/voice?x=1"));
        let first = exchange.attempts[0].clone();
        exchange.attempts.push(Attempt { reason: second.reason, ..first });
        Some(url)
    }

    #[test]
    fn the_usual_wrong_urls_are_tried_in_turn_and_end() {
        let mut exchange = refused(403);
        let urls: Vec<_> = std::iter::from_fn(|| next(&mut exchange, &policy())).collect();
        assert_eq!(
            urls,
            [
                "http://pbx.example.com/voice?x=1",
                "https://pbx.example.com/voice",
                "http://pbx.example.com/voice",
                // What Twilio asked for, without the credentials.
                "https://pbx.example.com/voice?x=1",
                "http://127.0.0.1:5000/voice?x=1",
                "https://127.0.0.1:5000/voice?x=1",
                "http://127.0.0.1/voice?x=1",
                "http://pbx.example.com:5000/voice?x=1",
                "https://pbx.example.com:5000/voice?x=1",
                "https://pbx.example.com/voice/?x=1",
                "http://pbx.example.com/voice/?x=1",
            ]
        );
    }

    #[test]
    fn behind_an_alias_the_path_that_the_app_knows_is_signed_and_asked() {
        let mut exchange = refused(403);
        exchange.attempts[0].target = "/hooks/voice?x=1".to_owned();
        let second = resign(&exchange, &policy()).unwrap();
        // The first was signed for the public host and this path already.
        let url = "http://pbx.example.com/hooks/voice?x=1".to_owned();
        assert_eq!(second.target, "/hooks/voice?x=1");
        assert_eq!(second.reason, AttemptReason::Resigned { url });
    }

    #[test]
    fn only_what_twilio_signed_and_a_check_refused_is_signed_anew() {
        assert!(resign(&refused(401), &policy()).is_some());
        for status in [200, 404, 419, 500] {
            assert_eq!(resign(&refused(status), &policy()), None, "{status}");
        }
        assert_eq!(resign(&refused(403), &Policy { resign: false, ..policy() }), None);
        assert_eq!(resign(&refused(403), &Policy { observe: true, ..policy() }), None);
        for signature in [Authenticity::Unchecked, Authenticity::Unsigned, Authenticity::Forged] {
            let mut exchange = refused(403);
            exchange.call.signature = signature;
            assert_eq!(resign(&exchange, &policy()), None);
        }
        let mut put = refused(403);
        Arc::make_mut(&mut put.request).method = Method::PUT;
        assert_eq!(resign(&put, &policy()), None);
        let mut moved = refused(403);
        moved
            .attempts
            .push(Attempt { reason: AttemptReason::Redirect, ..moved.attempts[0].clone() });
        assert_eq!(resign(&moved, &policy()), None);
        let mut challenge = refused(401);
        if let Outcome::Answered(answer) = &mut challenge.outcome {
            answer.headers.insert("www-authenticate", "Basic realm=x".parse().unwrap());
        }
        assert_eq!(resign(&challenge, &policy()), None);
    }

    #[test]
    fn what_was_accepted_tells_how_the_app_rebuilds_its_urls() {
        let mut exchange = refused(403);
        next(&mut exchange, &policy());
        next(&mut exchange, &policy());
        assert_eq!(accepted(&exchange), None);
        exchange.attempts[2].status = Some(StatusCode::OK);
        assert_eq!(accepted(&exchange), Some("https://pbx.example.com/voice"));
        let form = rebuilt(&exchange, &policy()).unwrap();
        assert_eq!(form.url("/menu?y=2"), "https://pbx.example.com/menu");
        exchange.attempts[2].status = Some(StatusCode::BAD_GATEWAY);
        assert_eq!(rebuilt(&exchange, &policy()), None);
    }

    #[test]
    fn an_app_that_was_mended_gets_twilios_own_signature_again() {
        let mut exchange = refused(403);
        let url = "http://pbx.example.com/voice?x=1".to_owned();
        exchange.attempts[0].reason = AttemptReason::Resigned { url };
        assert_eq!(next(&mut exchange, &policy()).as_deref(), Some(GENUINE));
        exchange.attempts[1].status = Some(StatusCode::OK);
        assert_eq!(accepted(&exchange), None);
    }
}
