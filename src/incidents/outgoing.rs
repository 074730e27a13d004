//! Posting to somebody else's server: bounded in time, redirects not followed. Nothing of the
//! address is in an error: it may be a secret.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::fmt::rfc2822::DateTimeParser;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::clock;
use crate::config::Secret;

/// Longest wait that a server can ask for.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Longest time for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Answers up to this size are read, so that their connection serves again.
const READ: u64 = 16 * 1024;
const UNKNOWN_HOST: &str = "its host is not known";
const USER_AGENT: &str = concat!("twiml-guard/", env!("CARGO_PKG_VERSION"));

/// Where something is posted.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The whole URL.
    pub(super) url: Secret,
    /// Headers of each request.
    pub(super) headers: Vec<(String, Secret)>,
    /// Whether bodies are compressed.
    pub(super) gzip: bool,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub(super) certificate: Option<PathBuf>,
    /// Certificates and key (PEM) that are shown to the server.
    pub(super) client: Option<(PathBuf, PathBuf)>,
    /// Whether a status is worth another attempt.
    pub(super) passing: fn(u16) -> bool,
}

/// Posts to one target.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    target: Target,
}

/// Why something was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another attempt may do better, but not before the server said.
    Passing { why: String, after: Option<Duration> },
    /// No other attempt would.
    Final { why: String },
}

impl Failure {
    /// What is said of it.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Passing { why, .. } | Self::Final { why } => why,
        }
    }
}

impl Client {
    /// A client; `Err` says which certificate can't be read.
    pub(super) fn new(target: Target) -> Result<Self, String> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .user_agent(USER_AGENT);
        let is_tls = target.url.reveal().get(..6).is_some_and(|s| s.eq_ignore_ascii_case("https:"));
        let config = if is_tls { config.tls_config(tls(&target)?) } else { config };
        Ok(Self { agent: config.build().into(), target })
    }

    /// Posts a body; waits at most so long. Gives what a short answer says.
    pub(super) fn post(
        &self,
        kind: &str,
        body: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let mut request = self
            .agent
            .post(self.target.url.reveal())
            .config()
            .timeout_global(Some(within))
            .build()
            .header("Content-Type", kind);
        for (name, value) in &self.target.headers {
            request = request.header(name, value.reveal());
        }
        let sent = if self.target.gzip {
            request.header("Content-Encoding", "gzip").send(compressed(body).as_slice())
        } else {
            request.send(body)
        };
        let mut answer = sent.map_err(|error| failure(&error, within))?;
        let status = answer.status().as_u16();
        let after = answer
            .headers()
            .get("Retry-After")
            .and_then(|value| retry_after(value.to_str().ok()?, clock::now_ms()));
        let is_short = answer.body().content_length().is_some_and(|length| length <= READ);
        // If it does not come, what was posted was taken all the same; the connection is closed.
        let said =
            if is_short { answer.body_mut().read_to_vec().unwrap_or_default() } else { Vec::new() };
        match status {
            200..=299 => Ok(said),
            300..=399 => Err(Failure::Final {
                why: format!(
                    "redirected ({status}), which is not followed; write the URL that it leads to"
                ),
            }),
            _ if (self.target.passing)(status) => {
                Err(Failure::Passing { why: format!("answered {status}"), after })
            }
            _ => Err(Failure::Final { why: format!("refused with {status}") }),
        }
    }
}

/// Waits that double, each a little by chance, so that many guards do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

impl Backoff {
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0 }
    }

    /// How long to wait after another failed attempt; at least as long as the server asked for.
    pub(super) fn next(&mut self, after: Option<Duration>) -> Duration {
        let whole = self.first.saturating_mul(1 << self.attempts.min(20)).min(self.longest);
        self.attempts += 1;
        let chance = RandomState::new().build_hasher().finish() % 1_000;
        let wait = whole / 2 + whole / 2 * u32::try_from(chance).unwrap_or(0) / 1_000;
        wait.max(after.unwrap_or_default())
    }

    /// Attempts that failed.
    pub(super) const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// It went well.
    pub(super) const fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// What goes wrong, said once for each reason.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<String>);

impl Trouble {
    /// Whether this is not what was said last.
    pub(super) fn is_new(&mut self, why: &str) -> bool {
        let is_new = self.0.as_deref() != Some(why);
        self.0 = Some(why.to_owned());
        is_new
    }

    /// Notes that all is well; whether it was not.
    pub(super) fn is_over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// This machine's name.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// `120`, or a date: how long to wait from now.
fn retry_after(text: &str, now_ms: u64) -> Option<Duration> {
    let text = text.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let time = DateTimeParser::new().parse_timestamp(text).ok()?;
        let time = u64::try_from(time.as_millisecond()).ok()?;
        Duration::from_millis(time.saturating_sub(now_ms))
    };
    Some(wait.min(LONGEST_WAIT))
}

fn failure(error: &ureq::Error, within: Duration) -> Failure {
    let passing = |why: String| Failure::Passing { why, after: None };
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            passing("no connection in time".to_owned())
        }
        ureq::Error::Timeout(_) => passing(format!("no answer within {within:?}")),
        ureq::Error::HostNotFound => passing(UNKNOWN_HOST.to_owned()),
        ureq::Error::ConnectionFailed => passing("no connection".to_owned()),
        ureq::Error::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
            Some(error) => passing(tls_failure(error)),
            // Lookups that fail have no kind of their own.
            None if error.to_string().starts_with("failed to lookup address") => {
                passing(UNKNOWN_HOST.to_owned())
            }
            None => passing(format!("{}", error.kind())),
        },
        ureq::Error::Rustls(error) => passing(tls_failure(error)),
        ureq::Error::Tls(_) => passing("TLS failed".to_owned()),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            passing("what it answers is not HTTP".to_owned())
        }
        ureq::Error::InvalidProxyUrl | ureq::Error::ConnectProxyFailed(_) => {
            passing("the proxy of HTTPS_PROXY or HTTP_PROXY refuses".to_owned())
        }
        _ => Failure::Final { why: "the request can't be made".to_owned() },
    }
}

fn tls_failure(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            "its certificate is not trusted, not of this time or for another host".to_owned()
        }
        _ => "TLS failed".to_owned(),
    }
}

fn tls(target: &Target) -> Result<TlsConfig, String> {
    let roots = match &target.certificate {
        Some(path) => RootCerts::new_with_certs(&certificates(path)?),
        None => system_roots(),
    };
    let client = match &target.client {
        Some((chain, key)) => {
            let key = PrivateKey::from_pem(&read(key)?)
                .map_err(|_| format!("expected a key (PEM) in `{}`", key.display()))?;
            Some(ClientCert::new_with_certs(&certificates(chain)?, key))
        }
        None => None,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = TlsConfig::builder()
        .root_certs(roots)
        .client_cert(client)
        .unversioned_rustls_crypto_provider(provider);
    Ok(config.build())
}

/// The system's certificates (or those of `SSL_CERT_FILE`); where there are none, Mozilla's.
fn system_roots() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return RootCerts::WebPki;
    }
    let found: Vec<_> = found.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    RootCerts::new_with_certs(&found)
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = read(path)?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("expected certificates (PEM) in `{}`, found none", path.display()));
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path)
        .map_err(|error| format!("expected a readable file, found `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_are_never_shorter_than_asked() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        for whole in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = backoff.next(None);
            let whole = Duration::from_secs(whole);
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
        assert_eq!(backoff.next(Some(Duration::from_secs(90))), Duration::from_secs(90));
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_secs(1));
    }

    #[test]
    fn servers_say_when_to_come_back() {
        let now = 1_795_595_393_000; // 2026-11-25T08:29:53Z
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        let date = "Wed, 25 Nov 2026 08:30:03 GMT";
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(10)));
        assert_eq!(retry_after("Wed, 25 Nov 2026 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("86400", now), Some(LONGEST_WAIT));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn a_missing_certificate_is_said() {
        let target = Target {
            url: Secret::new("https://127.0.0.1:1/".to_owned()),
            headers: Vec::new(),
            gzip: false,
            certificate: Some("/nonexistent/ca.pem".into()),
            client: None,
            passing: |_| false,
        };
        assert!(Client::new(target).unwrap_err().contains("/nonexistent/ca.pem"));
    }
}
