//! From a backend's place to a connection: TCP or a Unix socket, bare or in TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::failure::chain;
use super::resolver::Resolver;
use crate::config::{Place, Upstream, UpstreamTls};
use crate::guard::Failure;
use crate::proxy::socket::{Bare, Socket};

/// Makes connections to backends.
#[derive(Debug)]
pub(super) struct Connector {
    resolver: Resolver,
    tls: Option<UpstreamTls>,
    limit: Duration,
}

impl Connector {
    /// Each connection may take `limit`, TLS included.
    pub(super) fn new(resolver: Resolver, tls: Option<UpstreamTls>, limit: Duration) -> Self {
        Self { resolver, tls, limit }
    }

    /// Connects: every address of a name in turn. TCP connections have TCP_NODELAY.
    pub(super) async fn connect(&self, upstream: &Upstream) -> Result<Socket, Failure> {
        let deadline = Instant::now() + self.limit;
        let bare = match &upstream.place {
            Place::Tcp { host, port } => {
                Bare::Tcp(self.tcp(upstream, host, *port, deadline).await?)
            }
            Place::Unix(path) => Bare::Unix(unix(upstream, path, self.limit).await?),
        };
        if !upstream.tls {
            return Ok(Socket::Bare(bare));
        }
        match timeout_at(deadline.into(), self.secure(upstream, bare)).await {
            Ok(secured) => secured,
            Err(_) => Err(Failure::Unreachable {
                address: upstream.authority(),
                detail: format!("no TLS handshake within {:?}", self.limit),
            }),
        }
    }

    async fn tcp(
        &self,
        upstream: &Upstream,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, Failure> {
        let addresses = self.resolver.addresses(host, self.limit / 2).await;
        let addresses = addresses.map_err(|error| failure(upstream, &error))?;
        let mut worst = Failure::ConnectTimeout;
        for (at, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let behind = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            let address = SocketAddr::new(*address, port);
            worst = match timeout(left / behind, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without it small frames of a media stream wait for acknowledgements.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure(upstream, &error),
                Err(_) => Failure::ConnectTimeout,
            };
        }
        self.resolver.doubt(host);
        Err(worst)
    }

    async fn secure(&self, upstream: &Upstream, bare: Bare) -> Result<Socket, Failure> {
        let unfit = |detail: String| Failure::Unreachable { address: upstream.authority(), detail };
        let Some(tls) = &self.tls else {
            return Err(Failure::Internal { detail: "TLS to backends is not set up".to_owned() });
        };
        let host = match &upstream.place {
            Place::Tcp { host, .. } => &**host,
            Place::Unix(_) => "localhost",
        };
        let name = match &tls.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| unfit(format!("`{host}` is no name that a certificate can bear")))?,
        };
        match TlsConnector::from(Arc::clone(&tls.client)).connect(name, bare).await {
            Ok(stream) => Ok(Socket::Outbound(Box::new(stream))),
            Err(error) => Err(unfit(tls_fault(&error))),
        }
    }
}

async fn unix(upstream: &Upstream, path: &Path, limit: Duration) -> Result<UnixStream, Failure> {
    match timeout(limit, UnixStream::connect(path)).await {
        Ok(connected) => connected.map_err(|error| failure(upstream, &error)),
        Err(_) => Err(Failure::ConnectTimeout),
    }
}

fn failure(upstream: &Upstream, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused { address: upstream.authority() },
        io::ErrorKind::TimedOut if error.raw_os_error().is_some() => Failure::ConnectTimeout,
        io::ErrorKind::ConnectionReset => Failure::Reset,
        _ if is_our_own(error) => Failure::Internal {
            detail: format!(
                "no connection to the backend can be opened: {error}; raise the limit of open files"
            ),
        },
        _ => Failure::Unreachable { address: upstream.authority(), detail: error.to_string() },
    }
}

/// EMFILE, ENFILE: out of descriptors, which is not the backend's fault.
fn is_our_own(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// What went wrong with TLS, and what to do about it.
fn tls_fault(error: &io::Error) -> String {
    use rustls::CertificateError as Fault;
    let found = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let remedy = match found {
        Some(rustls::Error::InvalidCertificate(fault)) => match fault {
            Fault::Expired | Fault::ExpiredContext { .. } => "renew the backend's certificate",
            Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
                "set upstream_tls.server_name to a name that the certificate bears"
            }
            _ => "name the authority's certificate, or the backend's own, in upstream_tls.ca_file",
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            "what listens there speaks no TLS; write http:// in `upstream`"
        }
        _ => "see whether the backend offers TLS 1.2 or newer",
    };
    format!("TLS failed: {}; {remedy}", chain(error))
}
