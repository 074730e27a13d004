//! How backends prove who they are, where TLS is spoken with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::error::ConfigError;
use super::layers::Layers;
use super::listeners::mistake;
use super::resolve::Values;

/// What TLS with backends needs.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    /// For the TLS library.
    pub client: Arc<ClientConfig>,
    /// The name that certificates have to bear; `None`: the backend's host.
    pub server_name: Option<ServerName<'static>>,
    /// Whether any certificate is taken.
    pub is_insecure: bool,
    /// Where more roots come from.
    pub ca_file: Option<PathBuf>,
}

/// Reads `[upstream_tls]`; `None`, if nothing speaks TLS, or something is wrong.
pub(super) fn resolve(
    layers: &Layers,
    text: &str,
    is_wanted: bool,
    errors: &mut Vec<ConfigError>,
) -> Option<UpstreamTls> {
    let own = Values(&layers.entries);
    let mut fault = |key: &'static str, message: String, help: &str| {
        if let Some(entry) = layers.entries.get(key) {
            errors.push(mistake(key, entry, text, message, help));
        }
    };
    let ca_file = own.path("upstream_tls.ca_file");
    let is_insecure = own.flag("upstream_tls.insecure_skip_verify").unwrap_or(false);
    let server_name = match own.text("upstream_tls.server_name") {
        None => None,
        Some(name) => {
            let Ok(known) = ServerName::try_from(name.clone()) else {
                let message = format!("expected a host name or an IP address, found `{name}`");
                fault("upstream_tls.server_name", message, "write the name in the certificate");
                return None;
            };
            Some(known)
        }
    };
    let extra = match ca_file.as_deref().map(certificates).transpose() {
        Ok(extra) => extra.unwrap_or_default(),
        Err(message) => {
            let help = "name the file of the authority that issued the backend's certificate, or of the certificate itself";
            fault("upstream_tls.ca_file", message, help);
            return None;
        }
    };
    if !is_wanted {
        return None;
    }
    match client(extra, is_insecure) {
        Ok(client) => {
            Some(UpstreamTls { client: Arc::new(client), server_name, is_insecure, ca_file })
        }
        Err(error) => {
            let message = format!("expected TLS to be possible, found: {error}");
            fault("upstream_tls.insecure_skip_verify", message, "name a ca_file");
            None
        }
    }
}

/// The certificates in a file; the error says what was expected and found.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |found: &dyn std::fmt::Display| {
        format!("expected certificates (PEM) in `{}`, found {found}", path.display())
    };
    let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
    let all = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(&error))?;
    if all.is_empty() { Err(unusable(&"none")) } else { Ok(all) }
}

fn client(
    extra: Vec<CertificateDer<'static>>,
    is_insecure: bool,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(Verifier::new(extra, is_insecure, Arc::clone(&provider))?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Trusts the system's roots (Mozilla's, where it has none), those of a file, and the very
/// certificates of that file: an old backend's own certificate is often its own authority, which
/// the library takes for no server's. That a certificate's key was used is checked always.
#[derive(Debug)]
struct Verifier {
    chains: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    /// Whether any certificate is taken.
    is_insecure: bool,
}

impl Verifier {
    fn new(
        pinned: Vec<CertificateDer<'static>>,
        is_insecure: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots.add_parsable_certificates(pinned.iter().cloned());
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        Ok(Self { chains, pinned, is_insecure })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.is_insecure || self.pinned.iter().any(|own| own == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
