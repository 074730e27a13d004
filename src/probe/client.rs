//! Asks as Twilio asks: signed, in 15 s in all, a second attempt after a failed connect, redirects
//! followed, cookies kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE, USER_AGENT,
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;

use super::connect::Connector;
use super::error::ProbeError;
use super::tls::TlsFacts;
use super::url::Url;
use super::wire::{self, Framing};
use crate::guard::link;
use crate::twilio::limits::WEBHOOK_TIMEOUT;
use crate::twilio::params;
use crate::twilio::signature::{self, AuthToken};

/// Redirects that Twilio follows (Twilio docs, TwiML for Programmable Voice; error 11215).
const MAX_REDIRECTS: usize = 10;

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// GET or POST.
    pub method: Method,
    /// Whom.
    pub url: Url,
    /// Twilio's parameters: the form of a POST, the query of a GET.
    pub params: Vec<(String, String)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The URL that answered, after redirects.
    pub url: Url,
    /// How that was asked.
    pub method: Method,
    /// Its status.
    pub status: StatusCode,
    /// Its headers, framing included.
    pub headers: HeaderMap,
    /// Its body, transfer coding undone, content coding not.
    pub body: Bytes,
    /// How the body was framed.
    pub framing: Framing,
    /// The redirects before it: status, and where it led.
    pub hops: Vec<(u16, Url)>,
    /// Times, and who answered.
    pub link: LinkFacts,
}

/// What is known of the last connection.
#[derive(Debug, Clone)]
pub struct LinkFacts {
    /// The address.
    pub peer: SocketAddr,
    /// TCP.
    pub connect: Duration,
    /// TLS, in time.
    pub handshake: Option<Duration>,
    /// TLS, in facts.
    pub tls: Option<TlsFacts>,
    /// From before the connect to the first byte.
    pub first_byte: Duration,
    /// Everything, redirects and retries included.
    pub total: Duration,
    /// Connections that failed before.
    pub retries: u32,
}

/// A question that got no answer.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub error: ProbeError,
    /// The URL that failed, after redirects.
    pub url: Url,
    /// Connections that failed before.
    pub retries: u32,
}

/// Twilio as HTTP client.
#[derive(Debug)]
pub struct Client {
    connector: Connector,
    token: Option<AuthToken>,
    /// Hosts that may be asked; empty: any.
    hosts: Vec<Url>,
    cookies: BTreeMap<(String, String), String>,
    /// Twilio's patience.
    patience: Duration,
}

impl Client {
    /// One that signs where there is a token.
    pub fn new(connector: Connector, token: Option<AuthToken>) -> Self {
        let cookies = BTreeMap::new();
        Self { connector, token, hosts: Vec::new(), cookies, patience: WEBHOOK_TIMEOUT }
    }

    /// Redirects to other hosts than this one are not followed.
    #[must_use]
    pub fn only(mut self, host: Url) -> Self {
        self.hosts.push(host);
        self
    }

    /// Less patience than Twilio's, for tests and demonstrations.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(WEBHOOK_TIMEOUT);
        self
    }

    /// Whether a URL may be asked.
    pub fn may_ask(&self, url: &Url) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|host| host.is_same_host(url))
    }

    /// The connections' maker.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The signature of an empty request for this URL, where there is a token.
    pub fn signature(&self, url: &Url) -> Option<String> {
        self.token.as_ref().map(|token| token.sign(&url.to_string(), []))
    }

    /// Asks; `signed` is the URL that is signed where it is not the one asked for.
    pub async fn ask_signed(
        &mut self,
        ask: Ask,
        signed: Option<&Url>,
    ) -> Result<Fetched, Unanswered> {
        let start = Instant::now();
        let token = uuid::Uuid::now_v7().to_string();
        let Ask { mut method, mut url, params } = ask;
        let mut hops = Vec::new();
        let mut retries = 0;
        loop {
            let url_now = url.clone();
            let fail = |error, retries| Unanswered { error, url: url_now.clone(), retries };
            let left = self.patience.saturating_sub(start.elapsed());
            let once = self.once(&method, &url, &params, &token, signed, start);
            let late = ProbeError::TooLate { to: self.connector.place(&url).authority() };
            match tokio::time::timeout(left, once).await.unwrap_or(Err(late)) {
                // Twilio docs, webhooks connection overrides: `rc` 1 and `rp` ct by default.
                Err(error) if error.is_connect() && retries == 0 => retries = 1,
                Err(error) => return Err(fail(error, retries)),
                Ok(mut got) => {
                    got.link.retries = retries;
                    self.remember(&url, &got.headers);
                    if !got.status.is_redirection() || got.status == StatusCode::NOT_MODIFIED {
                        got.hops = hops;
                        return Ok(got);
                    }
                    let next = next_url(&got).map_err(|error| fail(error, retries))?;
                    hops.push((got.status.as_u16(), next.clone()));
                    if hops.len() > MAX_REDIRECTS {
                        let url = next.to_string();
                        return Err(fail(ProbeError::TooManyRedirects { url }, retries));
                    }
                    if !self.may_ask(&next) {
                        let url = next.to_string();
                        return Err(fail(ProbeError::ForeignRedirect { url }, retries));
                    }
                    if got.status != StatusCode::TEMPORARY_REDIRECT {
                        method = Method::GET;
                    }
                    url = next;
                }
            }
        }
    }

    /// Asks, signed for the URL that is asked.
    pub async fn ask(&mut self, ask: Ask) -> Result<Fetched, Unanswered> {
        self.ask_signed(ask, None).await
    }

    async fn once(
        &self,
        method: &Method,
        url: &Url,
        params: &[(String, String)],
        idempotency: &str,
        signed: Option<&Url>,
        start: Instant,
    ) -> Result<Fetched, ProbeError> {
        let pairs = || params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let form = params::form(pairs());
        let is_get = method == Method::GET;
        // Behind a redirect the form may be in the query already.
        let has_form = !form.is_empty() && url.target.contains(&form);
        let asked = if is_get && !has_form { url.with_query(&form) } else { url.clone() };
        let signed_url = signed.map_or_else(
            || asked.to_string(),
            |signed| if is_get { signed.with_query(&form) } else { signed.clone() }.to_string(),
        );
        let mut request = Request::builder()
            .method(method.clone())
            .uri(asked.target.as_str())
            .header(HOST, url.authority())
            .header("i-twilio-idempotency-token", idempotency)
            .header(ACCEPT, "*/*")
            .header("x-home-region", "us1")
            .header(USER_AGENT, "TwilioProxy/1.1");
        for (name, value) in self.connector.forwarded(url) {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            let signature =
                if is_get { token.sign(&signed_url, []) } else { token.sign(&signed_url, pairs()) };
            request = request.header(signature::HEADER, signature);
        }
        if let Some(userinfo) = &url.userinfo {
            let credentials = format!("Basic {}", STANDARD.encode(userinfo));
            request = request.header(AUTHORIZATION, credentials);
        }
        let cookies = self.cookies_for(url);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        if !is_get {
            let form = "application/x-www-form-urlencoded; charset=UTF-8";
            request = request.header(CONTENT_TYPE, form);
        }
        let body = if is_get { Bytes::new() } else { Bytes::from(form) };
        let request = request
            .body(Full::new(body))
            .map_err(|source| ProbeError::Request { target: url.target.clone(), source })?;
        let connected = self.connector.connect(url).await?;
        let got = wire::exchange(connected.io, request, start)
            .await
            .map_err(|found| ProbeError::Http { to: connected.peer, found })?;
        Ok(Fetched {
            url: asked,
            method: method.clone(),
            status: got.status,
            headers: got.headers,
            body: got.body,
            framing: got.framing,
            hops: Vec::new(),
            link: LinkFacts {
                peer: connected.peer,
                connect: connected.connect,
                handshake: connected.handshake,
                tls: connected.tls,
                first_byte: got.first_byte,
                total: got.total,
                retries: 0,
            },
        })
    }

    /// Twilio keeps cookies; sessions of old applications hang on them.
    fn remember(&mut self, url: &Url, headers: &HeaderMap) {
        const MOST: usize = 50;
        for cookie in headers.get_all(SET_COOKIE) {
            let text = String::from_utf8_lossy(cookie.as_bytes());
            let pair = text.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=')
                && self.cookies.len() < MOST
            {
                let key = (url.host.to_ascii_lowercase(), name.trim().to_owned());
                self.cookies.insert(key, value.trim().to_owned());
            }
        }
    }

    fn cookies_for(&self, url: &Url) -> String {
        let own = self.cookies.iter().filter(|((host, _), _)| host.eq_ignore_ascii_case(&url.host));
        own.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// Where a redirect that Twilio follows leads (error 11216).
fn next_url(got: &Fetched) -> Result<Url, ProbeError> {
    let status = got.status.as_u16();
    let location = got.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let location = location.unwrap_or_default().trim().to_owned();
    if !matches!(status, 301 | 302 | 303 | 307) || location.is_empty() {
        return Err(ProbeError::Redirect { status, location });
    }
    let base = got.url.to_string();
    let absolute = link::absolute(&location, Some(&base)).unwrap_or(location);
    Ok(absolute.parse()?)
}
