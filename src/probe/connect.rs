//! A connection to a URL's host: resolved here, checked, and made to exactly what was checked.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::resolve;
use super::error::ProbeError;
use super::tls::{CaError, Judge, TlsFacts, TlsFailure};
use super::url::Url;

/// Twilio's time for a TCP connection (webhooks connection overrides: `ct`, default 5,000 ms).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Both directions of a connection.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection, and what it took.
pub(super) struct Connected {
    pub io: Box<dyn Io>,
    pub peer: SocketAddr,
    pub connect: Duration,
    pub handshake: Option<Duration>,
    pub tls: Option<TlsFacts>,
}

/// Makes connections.
#[derive(Debug, Clone)]
pub struct Connector {
    judge: Judge,
    detour: Option<(Url, Url)>,
}

impl Connector {
    /// One that trusts Mozilla's roots, and those of a file.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, CaError> {
        Ok(Self { judge: Judge::new(ca_file)?, detour: None })
    }

    /// Requests for the host of `public` connect to `inner` instead: its scheme, host and port.
    #[must_use]
    pub fn detour(mut self, public: Url, inner: Url) -> Self {
        self.detour = Some((public, inner));
        self
    }

    /// What the front end, which a detour goes round, would tell the backend of the public URL.
    pub(super) fn forwarded(&self, url: &Url) -> Vec<(&'static str, String)> {
        let origin = |url: &Url| (url.scheme, url.authority());
        let is_round = self.detour.as_ref().is_some_and(|(public, inner)| {
            public.is_same_host(url) && origin(public) != origin(inner)
        });
        if !is_round {
            return Vec::new();
        }
        let proto = if url.scheme.is_secure() { "https" } else { "http" };
        vec![("X-Forwarded-Proto", proto.to_owned()), ("X-Forwarded-Host", url.authority())]
    }

    /// Where requests for a URL connect to.
    pub(super) fn place(&self, url: &Url) -> Url {
        match &self.detour {
            Some((public, inner)) if public.is_same_host(url) => inner.clone(),
            _ => url.clone(),
        }
    }

    pub(super) async fn connect(&self, url: &Url) -> Result<Connected, ProbeError> {
        let place = self.place(url);
        let addresses = resolve(&place.host, place.port()).await?;
        let start = Instant::now();
        let mut failed = None;
        for to in addresses {
            let left = CONNECT_TIMEOUT.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, TcpStream::connect(to)).await {
                Ok(Ok(stream)) => return self.secured(&place, stream, to, start.elapsed()).await,
                Ok(Err(source)) => failed = Some(ProbeError::Connect { to, source }),
                Err(_) => failed = Some(ProbeError::ConnectTimeout { to }),
            }
        }
        Err(failed.unwrap_or_else(|| ProbeError::NoHost {
            host: place.host.clone(),
            source: std::io::Error::other("the name has no address"),
        }))
    }

    async fn secured(
        &self,
        place: &Url,
        stream: TcpStream,
        peer: SocketAddr,
        connect: Duration,
    ) -> Result<Connected, ProbeError> {
        // Frames are small; without it each waits for the one before.
        let _ = stream.set_nodelay(true);
        if !place.scheme.is_secure() {
            return Ok(Connected {
                io: Box::new(stream),
                peer,
                connect,
                handshake: None,
                tls: None,
            });
        }
        let start = Instant::now();
        let failed = |error: &std::io::Error| TlsFailure::of(&place.host, error);
        let name = ServerName::try_from(place.host.clone())
            .map_err(|error| failed(&std::io::Error::other(error.to_string())))?;
        let connector = TlsConnector::from(std::sync::Arc::clone(&self.judge.config));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connector.connect(name.clone(), stream))
            .await
            .map_err(|_| ProbeError::ConnectTimeout { to: peer })?
            .map_err(|error| failed(&error))?;
        let tls = self.judge.facts(stream.get_ref().1, &name);
        let handshake = Some(start.elapsed());
        Ok(Connected { io: Box::new(stream), peer, connect, handshake, tls: Some(tls) })
    }
}
