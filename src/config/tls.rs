//! What the public listener identifies itself with: a certificate and its key.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::error::ConfigError;
use super::layers::Layers;
use super::listeners::mistake;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum TlsFilesError {
    /// The certificate's file.
    #[error("expected certificates (PEM) in `{}`, found {found}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The key's file.
    #[error("expected a private key (PEM) in `{}`, found {found}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is there; never the text itself.
        found: String,
    },
    /// Both are fine, but not together.
    #[error(
        "expected the private key of the first certificate in `{}`, found another one in `{}`", certificate.display(), key.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl TlsFilesError {
    /// The key of the configuration that it is about.
    const fn config_key(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => "tls.certificate",
            Self::Key { .. } | Self::Mismatch { .. } => "tls.key",
        }
    }

    const fn help(&self) -> &'static str {
        match self {
            Self::Certificate { .. } => {
                "name the file with the whole chain (often fullchain.pem), readable for this user"
            }
            Self::Key { .. } => {
                "name the file with the key, not encrypted (often privkey.pem), readable for this user"
            }
            Self::Mismatch { .. } => "name the two files that were issued together",
        }
    }
}

/// Reads certificate and key, and checks that they belong together.
pub fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsFilesError> {
    let not_certificate =
        |found| TlsFilesError::Certificate { path: certificate.to_owned(), found };
    let not_key = |found| TlsFilesError::Key { path: key.to_owned(), found };
    let pem = std::fs::read(certificate).map_err(|error| not_certificate(unreadable(&error)))?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| not_certificate(what(&error)))?;
    if chain.is_empty() {
        return Err(not_certificate("none".to_owned()));
    }
    let pem = std::fs::read(key).map_err(|error| not_key(unreadable(&error)))?;
    let own = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| not_key(what(&error)))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let private = provider
        .key_provider
        .load_private_key(own)
        .map_err(|error| not_key(format!("one that can't be used ({error})")))?;
    let identity = CertifiedKey::new(chain, private);
    match identity.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(identity)),
        Err(Error::InconsistentKeys(_)) => Err(TlsFilesError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        }),
        Err(error) => Err(not_certificate(format!("one that can't be used ({error})"))),
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("no file that can be read ({error})")
}

fn what(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "none".to_owned(),
        error => format!("damaged PEM ({error})"),
    }
}

/// The files of a configuration, looked at already; none where something is wrong with them.
pub(super) fn resolve(
    layers: &Layers,
    text: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<TlsFiles> {
    let own = super::resolve::Values(&layers.entries);
    let (certificate, key) = match (own.path("tls.certificate"), own.path("tls.key")) {
        (None, None) => return None,
        (Some(certificate), Some(key)) => (certificate, key),
        (certificate, _) => {
            let (there, other) = match certificate {
                Some(_) => ("tls.certificate", "`key`"),
                None => ("tls.key", "`certificate`"),
            };
            if let Some(entry) = layers.entries.get(there) {
                let message = format!("expected {other} beside it in [tls], found none");
                let help = "name both files, or neither to listen without TLS";
                errors.push(mistake(there, entry, text, message, help));
            }
            return None;
        }
    };
    if let Err(error) = read(&certificate, &key)
        && let Some(entry) = layers.entries.get(error.config_key())
    {
        errors.push(mistake(error.config_key(), entry, text, error.to_string(), error.help()));
    }
    Some(TlsFiles { certificate, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let issued =
            rcgen::generate_simple_self_signed(vec!["pbx.example.com".to_owned()]).unwrap();
        let (certificate, key) =
            (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, issued.cert.pem()).unwrap();
        std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    #[test]
    fn certificate_and_key_belong_together() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = issued(folder.path(), "one");
        let (other, other_key) = issued(folder.path(), "other");
        assert_eq!(read(&certificate, &key).unwrap().cert.len(), 1);
        let junk = folder.path().join("junk");
        std::fs::write(&junk, "not PEM").unwrap();
        let torn = folder.path().join("torn");
        let pem = std::fs::read_to_string(&certificate).unwrap();
        std::fs::write(&torn, pem.replace("MII", "M*I")).unwrap();
        let absent = folder.path().join("absent");
        for (certificate, key, expected) in [
            (&certificate, &other_key, "expected the private key of the first certificate"),
            (&other, &key, "found another one"),
            (&junk, &key, "found none"),
            (&torn, &key, "damaged PEM"),
            (&absent, &key, "no file that can be read"),
            (&certificate, &junk, "expected a private key (PEM)"),
            (&certificate, &absent, "no file that can be read"),
            (&key, &certificate, "expected certificates (PEM)"),
            (&certificate, &certificate, "expected a private key (PEM)"),
        ] {
            let error = read(certificate, key).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("found"), "{error}");
        }
    }
}
