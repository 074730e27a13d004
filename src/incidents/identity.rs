//! Who called, without their number: a keyed hash, so that a search by the full number works and
//! the numbers can't be had back from the store alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The key's file in the state directory.
const FILE: &str = "key";
/// Bytes of a key: one block of SHA-256.
const LENGTH: usize = 64;

/// Hashes numbers and addresses with the key of this installation (HMAC-SHA-256, 64 bits kept).
#[derive(Clone)]
pub struct Identity {
    key: [u8; LENGTH],
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(***)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is there, but is no key.
    #[error(
        "expected {LENGTH} bytes in the key file {}, found {found}; put the right file back, or remove it: a new one is made, but numbers recorded before are no longer found", path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: usize,
    },
    /// The file can't be read or made.
    #[error("expected to read or make the key file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Identity {
    /// The key of this state directory; made if there is none yet.
    pub fn open_or_make(state_dir: &Path) -> Result<Self, KeyError> {
        match Self::open(state_dir) {
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let mut key = [0; LENGTH];
        getrandom::fill(&mut key).map_err(|error| KeyError::Io {
            path: state_dir.join(FILE),
            source: io::Error::other(error),
        })?;
        Self::from(key).keep(state_dir)
    }

    /// Makes this the key of a state directory that has none; gives the one that is in use there.
    pub fn keep(&self, state_dir: &Path) -> Result<Self, KeyError> {
        let path = state_dir.join(FILE);
        if Self::is_kept(state_dir) {
            return Self::open(state_dir);
        }
        let failed = |source| KeyError::Io { path: path.clone(), source };
        // Whole under another name first: a guard that starts at the same moment reads all or none.
        let fresh = state_dir.join(format!("{FILE}.{}", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .map_err(failed)?;
        let written = file
            .write_all(&self.key)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&fresh, &path));
        // What is left of it is no key in use.
        let _ = fs::remove_file(&fresh);
        match written {
            Ok(()) => Self::open(state_dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::open(state_dir),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether a state directory has a key.
    pub fn is_kept(state_dir: &Path) -> bool {
        state_dir.join(FILE).exists()
    }

    /// The key of this state directory.
    pub fn open(state_dir: &Path) -> Result<Self, KeyError> {
        let path = state_dir.join(FILE);
        let key = match fs::read(&path) {
            Ok(key) => key,
            Err(source) => return Err(KeyError::Io { path, source }),
        };
        match <[u8; LENGTH]>::try_from(key) {
            Ok(key) => Ok(Self::from(key)),
            Err(key) => Err(KeyError::Malformed { path, found: key.len() }),
        }
    }

    /// A key for this process alone: counts distinct callers where nothing can be kept.
    pub fn passing() -> Self {
        let mut key = [0; LENGTH];
        // Without randomness the hashes still tell callers apart; they are of no use later.
        let _ = getrandom::fill(&mut key);
        Self::from(key)
    }

    /// The hash of a number, SIP address or client name, as Twilio writes it or a person types it.
    pub fn hash(&self, address: &str) -> u64 {
        let mut mac = self.mac.clone();
        mac.update(plain(address).as_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
    }
}

impl From<[u8; LENGTH]> for Identity {
    fn from(key: [u8; LENGTH]) -> Self {
        Self { key, mac: Hmac::new(&key.into()) }
    }
}

/// A number as `+` and digits, anything else trimmed and in lower case.
fn plain(address: &str) -> String {
    let address = address.trim();
    let number = address.rsplit_once(':').map_or(address, |(scheme, rest)| {
        let channel = ["whatsapp", "tel", "sms", "messenger", "rcs"];
        if channel.iter().any(|known| scheme.eq_ignore_ascii_case(known)) { rest } else { address }
    });
    let is_number = number.chars().any(|c| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || " +-.()/".contains(c));
    if !is_number {
        return address.to_lowercase();
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    // `00` is how a `+` is dialled; national numbers stay what they are.
    format!("+{}", digits.strip_prefix("00").unwrap_or(&digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_one_hash_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::open_or_make(folder.path()).unwrap();
        let hash = identity.hash("+15550104477");
        for written in ["+1 555 010-4477", "15550104477", "0015550104477", "whatsapp:+15550104477"]
        {
            assert_eq!(identity.hash(written), hash, "{written}");
        }
        assert_ne!(identity.hash("+15550104478"), hash);
        assert_eq!(identity.hash("Client:Alice"), identity.hash("client:alice"));
    }

    #[test]
    fn the_key_is_made_once_and_is_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::open_or_make(folder.path()).unwrap();
        let again = Identity::open_or_make(folder.path()).unwrap();
        assert_eq!(first.hash("+1"), again.hash("+1"));
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(Identity::open_or_make(other.path()).unwrap().hash("+1"), first.hash("+1"));
    }

    #[test]
    fn a_key_that_vanished_is_put_back_and_another_one_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::open_or_make(folder.path()).unwrap();
        fs::remove_file(folder.path().join(FILE)).unwrap();
        assert_eq!(identity.keep(folder.path()).unwrap().hash("+1"), identity.hash("+1"));
        assert_eq!(Identity::open(folder.path()).unwrap().hash("+1"), identity.hash("+1"));
        let kept = Identity::passing().keep(folder.path()).unwrap();
        assert_eq!(kept.hash("+1"), identity.hash("+1"));
    }

    #[test]
    fn a_file_that_is_no_key_is_told_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "short").unwrap();
        let error = Identity::open_or_make(folder.path()).unwrap_err();
        assert!(error.to_string().contains("found 5"), "{error}");
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), b"short");
    }
}
