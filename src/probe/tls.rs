//! TLS as Twilio judges it: Mozilla's roots, the whole chain, the name, the dates.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// A certificate that ends within this is warned of.
const SOON: Duration = Duration::from_hours(14 * 24);

/// Why TLS failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TLS with {host} failed: {kind}")]
pub struct TlsFailure {
    /// The name that was asked for.
    pub host: String,
    /// What is wrong.
    pub kind: TlsFault,
}

/// What is wrong with a server's TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The chain leads to no known root.
    #[error(
        "the certificate leads to no root that is known (self-signed, or the intermediate certificate is not sent)"
    )]
    Chain,
    /// Not of this time.
    #[error("the certificate is expired or not valid yet")]
    Expired,
    /// For another name.
    #[error("the certificate is for another host")]
    Name,
    /// What answers speaks no TLS.
    #[error("what listens there speaks no TLS")]
    NotTls,
    /// Anything else.
    #[error("{0}")]
    Handshake(String),
}

impl TlsFailure {
    /// The code under which Twilio would log it.
    pub const fn code(&self) -> u32 {
        match self.kind {
            TlsFault::Chain => 11_237,
            TlsFault::Expired => 11_236,
            TlsFault::Name => 11_235,
            TlsFault::NotTls => 11_206,
            TlsFault::Handshake(_) => 11_220,
        }
    }

    /// What to do about it.
    pub const fn remedy(&self) -> &'static str {
        match self.kind {
            TlsFault::Chain => {
                "send the whole chain (the file often named fullchain.pem), issued by a public authority"
            }
            TlsFault::Expired => "renew the certificate, and look at what should have done it",
            TlsFault::Name => "issue the certificate for the host that Twilio is given",
            TlsFault::NotTls => "terminate TLS on that port, or give Twilio the port that does",
            TlsFault::Handshake(_) => "offer TLS 1.2 or newer with common ciphers",
        }
    }

    /// Reads it out of what the TLS library said.
    pub(super) fn of(host: &str, error: &std::io::Error) -> Self {
        let found = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let kind = match found {
            Some(rustls::Error::InvalidCertificate(error)) => certificate(error),
            Some(rustls::Error::InvalidMessage(_)) => TlsFault::NotTls,
            Some(other) => TlsFault::Handshake(other.to_string()),
            None => TlsFault::Handshake(error.to_string()),
        };
        Self { host: host.to_owned(), kind }
    }
}

fn certificate(error: &CertificateError) -> TlsFault {
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            TlsFault::Name
        }
        // A root of the same name with another key is none that is known.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::Other(_) => TlsFault::Chain,
        other => TlsFault::Handshake(other.to_string()),
    }
}

/// What is known of a connection's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// Such as `TLSv1_3`.
    pub version: String,
    /// Certificates that the server sent.
    pub chain: usize,
    /// Whether it ends within 14 days.
    pub ends_soon: bool,
}

/// Certificates that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("expected certificates (PEM) in `{path}`, found {found}")]
pub struct CaError {
    /// The file.
    pub path: String,
    /// What is there.
    pub found: String,
}

/// What every TLS connection is judged by.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    pub config: Arc<ClientConfig>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Judge {
    /// Mozilla's roots, which Twilio goes by, and those of a file.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, CaError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let unusable = |found: String| CaError {
            path: ca_file.unwrap_or(Path::new("")).display().to_string(),
            found,
        };
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
            let mut added = 0;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                added += 1;
            }
            if added == 0 {
                return Err(unusable("none".to_owned()));
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()
                .map_err(|error| unusable(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), verifier })
    }

    /// What is known of a connection that was judged good.
    pub fn facts(&self, connection: &rustls::ClientConnection, name: &ServerName<'_>) -> TlsFacts {
        let chain = connection.peer_certificates().unwrap_or_default();
        let then = UnixTime::since_unix_epoch(Duration::from_millis(crate::clock::now_ms()) + SOON);
        let ends_soon = chain.split_first().is_some_and(|(own, others)| {
            self.verifier.verify_server_cert(own, others, name, &[], then).is_err()
        });
        let version = connection.protocol_version();
        TlsFacts {
            version: version.map(|version| format!("{version:?}")).unwrap_or_default(),
            chain: chain.len(),
            ends_soon,
        }
    }
}
