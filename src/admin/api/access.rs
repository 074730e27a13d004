//! Who may ask: names and origins against DNS rebinding, then the token.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, StatusCode};
use sha2::Sha256;

use super::reply::Refusal;
use crate::config::read_token;

/// Wrong tokens that an address may show in [`WINDOW`].
const MAX_FAILURES: u32 = 20;
/// For how long wrong tokens count.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses whose wrong tokens are counted at once.
const MAX_COUNTED: usize = 1_024;

const BEARER: &str = "Bearer realm=\"twiml-guard\"";
const INVALID: &str = "Bearer realm=\"twiml-guard\", error=\"invalid_token\"";

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// Over the network.
    Address(IpAddr),
    /// Over a Unix socket: user and process, where the system tells.
    Process(Option<(u32, Option<i32>)>),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Process(Some((user, Some(process)))) => write!(f, "uid {user}, pid {process}"),
            Self::Process(Some((user, None))) => write!(f, "uid {user}"),
            Self::Process(None) => f.write_str("a process on this machine"),
        }
    }
}

/// The rules of one listener.
#[derive(Debug)]
pub(super) struct Access {
    hosts: Vec<String>,
    token: Option<Token>,
    failures: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

impl Access {
    /// For a Unix socket: whoever may connect may ask.
    pub(super) fn to_a_socket(hosts: Vec<String>) -> Self {
        Self { hosts, token: None, failures: Mutex::default() }
    }

    /// For an address: whoever knows the token in this file may ask.
    pub(super) fn with_token(hosts: Vec<String>, file: PathBuf) -> Self {
        warn_if_others_read(&file);
        Self { hosts, token: Some(Token::of(file)), failures: Mutex::default() }
    }

    /// Whether a request comes under a name of this listener and from no foreign page.
    /// `own`: the address at which it arrived.
    pub(super) fn check_names(&self, parts: &Parts, own: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(host) = only(&parts.headers, &HOST) else {
            let message = "expected one Host header, found none or several";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        };
        let target = parts.uri.authority().map(Authority::as_str);
        let is_ours = |name: &str| self.is_ours(name, own);
        if let Some(odd) = [Some(host), target].into_iter().flatten().find(|name| !is_ours(name)) {
            let odd: String = odd.chars().take(100).collect();
            let message = format!(
                "expected the address itself, localhost or a name from [admin] hosts, found `{}`; add the name to `hosts` if it is right",
                odd.escape_debug()
            );
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, message));
        }
        match parts.headers.get_all(ORIGIN).iter().count() {
            0 => Ok(()),
            1 if only(&parts.headers, &ORIGIN).is_some_and(|origin| is_same(origin, host)) => {
                Ok(())
            }
            _ => {
                let message = "expected no Origin, or this listener's own; pages of other origins may not ask";
                Err(Refusal::new(StatusCode::FORBIDDEN, message))
            }
        }
    }

    fn is_ours(&self, authority: &str, own: Option<IpAddr>) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        // The port may be a tunnel's; who rebinds names has no choice of this one.
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|own| host.eq_ignore_ascii_case(own))
            || address
                .is_ok_and(|it| own.is_some_and(|own| it.to_canonical() == own.to_canonical()))
    }

    /// Whether a request carries the token, where one is asked for.
    pub(super) fn check_token(&self, headers: &HeaderMap, peer: Peer) -> Result<(), Refusal> {
        let Some(token) = &self.token else { return Ok(()) };
        if self.is_shut_out(peer) {
            let message = format!(
                "more than {MAX_FAILURES} wrong tokens came from this address; wait a minute"
            );
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after("60"));
        }
        let Some(shown) = bearer(headers) else {
            let message = "expected `Authorization: Bearer TOKEN` with the token of [admin] token_file, found none";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, message).challenge(BEARER));
        };
        match token.is(shown) {
            Some(true) => Ok(()),
            Some(false) => {
                self.note_failure(peer);
                let message = "expected the token of [admin] token_file, found another one";
                Err(Refusal::new(StatusCode::UNAUTHORIZED, message).challenge(INVALID))
            }
            None => {
                let message =
                    "the token's file can't be used, so nobody is let in; the guard's log says why";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message))
            }
        }
    }

    fn is_shut_out(&self, peer: Peer) -> bool {
        let Peer::Address(address) = peer else { return false };
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures
            .get(&address)
            .is_some_and(|(since, count)| since.elapsed() < WINDOW && *count >= MAX_FAILURES)
    }

    fn note_failure(&self, peer: Peer) {
        let Peer::Address(address) = peer else { return };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_COUNTED {
            failures.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        if failures.len() >= MAX_COUNTED {
            failures.clear();
        }
        let now = Instant::now();
        let entry = failures.entry(address).or_insert((now, 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (now, 0);
        }
        entry.1 += 1;
        if entry.1 == 1 {
            tracing::warn!(client = %address, "a wrong token at the admin listener");
        } else if entry.1 == MAX_FAILURES {
            tracing::warn!(client = %address, count = MAX_FAILURES, "too many wrong tokens at the admin listener; the client is shut out for a minute");
        }
    }
}

/// The token in a file, which is read at each question: what is there now holds.
#[derive(Debug)]
struct Token {
    file: PathBuf,
    /// Of this process alone.
    key: Hmac<Sha256>,
    /// What was said to be wrong with the file.
    told: Mutex<Option<String>>,
}

impl Token {
    fn of(file: PathBuf) -> Self {
        let mut key = [0; 64];
        // The key only hides where two tokens differ; a known one would hide it too.
        let _ = getrandom::fill(&mut key);
        Self { file, key: Hmac::new(&key.into()), told: Mutex::default() }
    }

    /// Whether this is the token, in a time that does not tell how much of it is right; `None`
    /// while the file can't be used.
    fn is(&self, shown: &str) -> Option<bool> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match read_token(&self.file) {
            Ok(token) => {
                *told = None;
                let hash = |text: &str| self.key.clone().chain_update(text).finalize();
                Some(hash(shown) == hash(&token))
            }
            Err(error) => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    tracing::error!(error, "nobody can use the admin address");
                    *told = Some(error);
                }
                None
            }
        }
    }
}

fn warn_if_others_read(file: &Path) {
    if fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %file.display(), "others may read the admin token; chmod 600 it");
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, &AUTHORIZATION)?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The header's value, if it is there once and is text.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether an origin is that of the page that this host serves.
fn is_same(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::admin::api::reply::Reply;

    fn status(refusal: Refusal) -> u16 {
        Reply::from(refusal).status().as_u16()
    }

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/api/outbreaks");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn names_and_origins_of_others_are_refused() {
        let access = Access::to_a_socket(vec!["guard.internal".to_owned()]);
        let own = Some("127.0.0.1".parse().unwrap());
        let refused =
            |headers: &[(&str, &str)]| access.check_names(&parts(headers), own).err().map(status);
        for host in ["127.0.0.1:9901", "localhost", "LOCALHOST:7", "guard.internal:80"] {
            assert_eq!(refused(&[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "localhost@evil.example",
            "evil.example@localhost",
            "[::1]",
            "local host",
            "127.1",
        ] {
            assert_eq!(refused(&[("host", host)]), Some(421), "{host}");
        }
        assert_eq!(refused(&[]), Some(400));
        assert_eq!(refused(&[("host", "localhost"), ("host", "localhost")]), Some(400));
        for (origin, expected) in [
            ("http://localhost:1", None),
            ("https://localhost:1", None),
            ("http://localhost:2", Some(403)),
            ("http://localhost", Some(403)),
            ("http://evil.example", Some(403)),
            ("null", Some(403)),
            ("localhost:1", Some(403)),
        ] {
            assert_eq!(
                refused(&[("host", "localhost:1"), ("origin", origin)]),
                expected,
                "{origin}"
            );
        }
    }

    #[test]
    fn an_address_of_version_six_is_its_own_name() {
        let access = Access::to_a_socket(Vec::new());
        let parts = parts(&[("host", "[::1]:9901")]);
        assert!(access.check_names(&parts, Some("::1".parse().unwrap())).is_ok());
    }

    #[test]
    fn wrong_tokens_are_counted_by_address_and_shut_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\n").unwrap();
        let access = Access::with_token(Vec::new(), file.clone());
        let ask = |value: &str, from: u8| {
            let headers = parts(&[("authorization", value)]).headers;
            let peer = Peer::Address([10, 0, 0, from].into());
            access.check_token(&headers, peer).map_err(status)
        };
        assert_eq!(ask("bearer 0123456789abcdef", 1), Ok(()));
        for odd in ["Basic 0123456789abcdef", "Bearer", "0123456789abcdef"] {
            assert_eq!(ask(odd, 1), Err(401), "{odd}");
        }
        for _ in 0..MAX_FAILURES {
            assert_eq!(ask("Bearer 0123456789abcdeF", 1), Err(401));
        }
        assert_eq!(ask("Bearer 0123456789abcdef", 1), Err(429));
        assert_eq!(ask("Bearer 0123456789abcdef", 2), Ok(()));
        fs::write(&file, "another-token-now").unwrap();
        assert_eq!(ask("Bearer 0123456789abcdef", 2), Err(401));
        assert_eq!(ask("Bearer another-token-now", 2), Ok(()));
        fs::remove_file(&file).unwrap();
        assert_eq!(ask("Bearer another-token-now", 2), Err(503));
    }
}
