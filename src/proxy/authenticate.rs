//! Whether Twilio sent a request: what its signature says, and what follows from that.

use std::net::IpAddr;

use http::header::{FORWARDED, HOST, HeaderName, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode};

use super::headers::{FORWARDED_HOST, FORWARDED_PORT, TWILIO_SIGNATURE, tokens};
use super::refuse::Refusal;
use super::worker::Worker;
use crate::config::{Config, SignatureMode};
use crate::guard::call::Authenticity;
use crate::twilio::signature::{AuthToken, SignedRequest, Verification};

/// The answer to who is refused: nothing that helps them.
pub(super) const REFUSAL: Refusal = Refusal { status: StatusCode::FORBIDDEN, why: "forbidden" };

/// Whether a request's signature was looked at yet.
#[derive(Debug, Clone)]
pub(super) enum Check {
    /// It is to be looked at, once the body is read.
    Due(SignatureMode),
    /// It was.
    Done(Checked),
}

/// What a request's signature says.
#[derive(Debug, Clone, Default)]
pub(super) struct Checked {
    pub(super) authenticity: Authenticity,
    /// The token that a genuine one was made with.
    pub(super) token: Option<AuthToken>,
}

/// A request as far as its signature covers it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Covered<'r> {
    pub(super) parts: &'r Parts,
    pub(super) body: &'r [u8],
    pub(super) peer: IpAddr,
    pub(super) is_websocket: bool,
}

/// Looks at a request's signature, counts what it says, and tells of what Twilio did not sign.
///
/// The error: it goes no further.
pub(super) fn admit(
    worker: &Worker,
    mode: SignatureMode,
    request: Covered<'_>,
) -> Result<Checked, Refusal> {
    if mode == SignatureMode::Off || worker.config.signatures.keyring.is_empty() {
        return Ok(Checked::default());
    }
    let checked = check(&worker.config, request);
    let is_refused = mode == SignatureMode::Enforce && checked.authenticity.is_refuted();
    let (result, what) = match checked.authenticity {
        Authenticity::Genuine { .. } | Authenticity::Unchecked => ("genuine", None),
        Authenticity::Unsigned => ("unsigned", Some("no signature")),
        Authenticity::Forged => ("forged", Some("a signature that is not Twilio's")),
    };
    worker.metrics.signature(result);
    if let Some(found) = what {
        worker.suspects.tell(request.parts, request.peer, found, is_refused);
    }
    if is_refused { Err(REFUSAL) } else { Ok(checked) }
}

/// Whether a handshake comes from Twilio by its looks.
pub(super) fn is_twilios_stream(headers: &HeaderMap) -> bool {
    headers.contains_key(TWILIO_SIGNATURE)
        || headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Twilio"))
}

fn check(config: &Config, request: Covered<'_>) -> Checked {
    let Covered { parts, body, peer, is_websocket } = request;
    let origins = origins(config, &parts.headers, peer);
    let signed = SignedRequest {
        headers: &parts.headers,
        target: parts.uri.path_and_query().map_or("/", PathAndQuery::as_str),
        body,
        origins: &origins,
        is_websocket,
    };
    match signed.verify(&config.signatures.keyring) {
        Verification::Genuine { url, token } => {
            Checked { authenticity: Authenticity::Genuine { url }, token: Some(token.clone()) }
        }
        Verification::Unsigned => {
            Checked { authenticity: Authenticity::Unsigned, ..Checked::default() }
        }
        Verification::Forged => {
            Checked { authenticity: Authenticity::Forged, ..Checked::default() }
        }
    }
}

/// Under which scheme and host Twilio may have asked: as configured, as the request says itself,
/// and as a front end says that is believed.
fn origins(config: &Config, headers: &HeaderMap, peer: IpAddr) -> Vec<String> {
    let mut all: Vec<String> = config.public_url.iter().cloned().collect();
    let first = |name: &HeaderName| tokens(headers, name).next().map(str::to_owned);
    let mut hosts: Vec<String> = first(&HOST).into_iter().collect();
    if config.signatures.trusts(peer) {
        let forwarded = first(&FORWARDED_HOST);
        if let (Some(host), Some(port)) = (&forwarded, first(&FORWARDED_PORT)) {
            hosts.push(format!("{host}:{port}"));
        }
        hosts.extend(forwarded);
        hosts.extend(first(&FORWARDED).as_deref().and_then(forwarded_host));
    }
    for host in hosts {
        for scheme in ["https", "http"] {
            let origin = format!("{scheme}://{host}");
            if !all.contains(&origin) {
                all.push(origin);
            }
        }
    }
    all
}

/// The host of an element of `Forwarded` (RFC 7239, section 4).
fn forwarded_host(element: &str) -> Option<String> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_host = name.trim().eq_ignore_ascii_case("host");
        is_host.then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_end_is_believed_only_where_it_is_named() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "inner:8080"),
            ("x-forwarded-host", "pbx.example.com, inner"),
            ("x-forwarded-port", "8443"),
            ("forwarded", "for=192.0.2.1;Host=\"other.example.com\";proto=https, host=x"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut layers = crate::config::Sources::default();
        layers.env.insert("TWIML_GUARD_TRUSTED_PROXIES".to_owned(), "10.0.0.0/8".to_owned());
        layers.env.insert("TWIML_GUARD_PUBLIC_URL".to_owned(), "https://a.example".to_owned());
        let config = crate::config::load(&layers).unwrap().config;
        let of = |peer: &str| origins(&config, &headers, peer.parse().unwrap());
        let own = ["https://a.example", "https://inner:8080", "http://inner:8080"];
        assert_eq!(of("192.168.1.1"), own);
        let told = of("10.1.2.3");
        assert_eq!(told[..3], own);
        for origin in [
            "https://pbx.example.com:8443",
            "https://pbx.example.com",
            "https://other.example.com",
            "http://other.example.com",
        ] {
            assert!(told.contains(&origin.to_owned()), "{origin} in {told:?}");
        }
    }
}
