//! TLS with clients: 1.2 and newer, HTTP/1.1 in it, a certificate that can be changed meanwhile.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::deadlines::Deadlines;
use super::socket::{Bare, Socket};
use crate::config::TlsFiles;
use crate::config::tls::{self, TlsFilesError};

/// TLS of the public listener. Clones share the certificate.
#[derive(Clone)]
pub struct TlsIn {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsInError {
    /// The files.
    #[error(transparent)]
    Files(#[from] TlsFilesError),
    /// The library.
    #[error("can't set TLS up, which is a bug of twiml-guard: {0}")]
    Library(#[from] rustls::Error),
}

impl TlsIn {
    /// Reads certificate and key.
    pub fn new(files: &TlsFiles) -> Result<Self, TlsInError> {
        let identity = tls::read(&files.certificate, &files.key)?;
        let current = Arc::new(Current(ArcSwap::new(identity)));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Current>::clone(&current));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current })
    }

    /// Reads certificate and key anew; connections from now on are shown the new one. If something
    /// is wrong with them, the old one stays.
    pub fn reload(&self, certificate: &Path, key: &Path) -> Result<(), TlsFilesError> {
        let identity = tls::read(certificate, key)?;
        self.current.0.store(identity);
        Ok(())
    }

    /// Shakes hands with a client, in the time that it has; `None` if that failed.
    pub(super) async fn accept(
        &self,
        stream: Bare,
        activity: &Activity,
        deadlines: &Deadlines,
    ) -> Option<Socket> {
        tokio::select! {
            biased;
            shaken = self.acceptor.accept(stream) => match shaken {
                Ok(stream) => {
                    activity.shook_hands();
                    Some(Socket::Inbound(Box::new(stream)))
                }
                Err(error) => {
                    deadlines.tls_failed(error.to_string());
                    None
                }
            },
            () = activity.until_ended() => None,
        }
    }
}

impl std::fmt::Debug for TlsIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsIn").finish_non_exhaustive()
    }
}
