//! Where auth tokens come from: the environment, a file, the service manager. Never a flag, which
//! others see in the list of processes, and never the configuration file itself, which is copied
//! about.

use std::io;
use std::path::{Path, PathBuf};

use crate::twilio::signature::{Keyring, KeyringError};

/// Variables that hold tokens, the first first; each has a `_FILE` twin that names a file.
const VARIABLES: [&str; 2] = ["TWIML_GUARD_AUTH_TOKEN", "TWILIO_AUTH_TOKEN"];

/// The credential's name under systemd: `LoadCredential=twilio-auth-token:…`.
const CREDENTIAL: &str = "twilio-auth-token";

/// The key that names a file.
pub(super) const KEY: &str = "twilio.auth_token_file";

/// Most bytes of a file with tokens.
const LONGEST: u64 = 64 * 1024;

/// Tokens, and where they were found.
#[derive(Debug, Clone, Default)]
pub struct FoundTokens {
    /// The tokens.
    pub keyring: Keyring,
    /// Where they come from, to be shown; empty where there are none.
    pub source: String,
    /// What is unsafe about that place.
    pub warning: Option<String>,
}

/// Why there are no tokens where some were announced.
#[derive(Debug, thiserror::Error)]
pub enum AuthTokenError {
    /// The file can't be read.
    #[error("{place}: expected a readable file with an auth token, found `{}`: {source}", path.display())]
    Io {
        /// What named the file.
        place: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it holds is no token.
    #[error("{place}: {source}")]
    Unfit {
        /// The variable, or the file with what named it.
        place: String,
        /// What is wrong with it.
        source: KeyringError,
    },
}

/// Looks for tokens: the environment first, then the file that the configuration names, then the
/// credential of the service manager. The first place that has any is the only one that counts.
///
/// `variable` gives a variable's value; blank ones count as none.
pub fn find(
    variable: impl Fn(&str) -> Option<String>,
    configured: Option<&Path>,
) -> Result<FoundTokens, AuthTokenError> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    for name in VARIABLES {
        if let Some(text) = set(name) {
            return parsed(&text, name.to_owned(), None);
        }
        let twin = format!("{name}_FILE");
        if let Some(path) = set(&twin) {
            return read(&twin, Path::new(&path));
        }
    }
    if let Some(path) = configured {
        return read(KEY, path);
    }
    if let Some(folder) = set("CREDENTIALS_DIRECTORY") {
        let path = Path::new(&folder).join(CREDENTIAL);
        if path.exists() {
            return read("CREDENTIALS_DIRECTORY", &path);
        }
    }
    Ok(FoundTokens::default())
}

/// The files that variables and the service manager name.
pub(super) fn files(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let twins = VARIABLES.iter().filter_map(|name| set(&format!("{name}_FILE")));
    let credential = set("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(CREDENTIAL));
    twins.map(PathBuf::from).chain(credential).collect()
}

fn read(place: &str, path: &Path) -> Result<FoundTokens, AuthTokenError> {
    let failed =
        |source| AuthTokenError::Io { place: place.to_owned(), path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let warning = is_open_to_others(&file).map_err(failed)?.then(|| {
        format!(
            "{place}: others may read `{}`, which holds an auth token; run `chmod 600` on it",
            path.display()
        )
    });
    io::Read::read_to_string(&mut io::Read::take(file, LONGEST), &mut text).map_err(failed)?;
    parsed(&text, format!("{place}, {}", path.display()), warning)
}

fn parsed(
    text: &str,
    place: String,
    warning: Option<String>,
) -> Result<FoundTokens, AuthTokenError> {
    match Keyring::parse(text) {
        Ok(keyring) => Ok(FoundTokens { keyring, source: place, warning }),
        Err(source) => Err(AuthTokenError::Unfit { place, source }),
    }
}

/// Whether the file's group or everybody may read it.
#[cfg(unix)]
fn is_open_to_others(file: &std::fs::File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn found(
        variables: &[(&str, &str)],
        configured: Option<&Path>,
    ) -> Result<FoundTokens, AuthTokenError> {
        let get = |name: &str| variables.iter().find(|(own, _)| *own == name);
        find(|name| get(name).map(|(_, value)| (*value).to_owned()), configured)
    }

    fn file(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_first_place_that_has_a_token_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "token", "of-file\n", 0o600);
        file(folder.path(), CREDENTIAL, "of-systemd\n", 0o400);
        let (named, credentials) = (path.to_str().unwrap(), folder.path().to_str().unwrap());
        let first = |variables: &[(&str, &str)], configured: Option<&Path>| {
            let found = found(variables, configured).unwrap();
            assert_eq!(found.warning, None);
            let token = found.keyring.of(None).first().map(|token| token.reveal().to_owned());
            token.map(|token| (token, found.source))
        };
        let pair = |token: &str, source: String| Some((token.to_owned(), source));
        assert_eq!(first(&[], None), None);
        assert_eq!(first(&[("TWILIO_AUTH_TOKEN", " \n")], None), None);
        let own = [("TWILIO_AUTH_TOKEN", "b"), ("TWIML_GUARD_AUTH_TOKEN", "a")];
        assert_eq!(first(&own, Some(&path)), pair("a", "TWIML_GUARD_AUTH_TOKEN".to_owned()));
        let twin = [("TWILIO_AUTH_TOKEN", "b"), ("TWIML_GUARD_AUTH_TOKEN_FILE", named)];
        let source = format!("TWIML_GUARD_AUTH_TOKEN_FILE, {named}");
        assert_eq!(first(&twin, None), pair("of-file", source));
        let systemd = [("CREDENTIALS_DIRECTORY", credentials)];
        let source = format!("twilio.auth_token_file, {named}");
        assert_eq!(first(&systemd, Some(&path)), pair("of-file", source));
        let source = format!("CREDENTIALS_DIRECTORY, {credentials}/twilio-auth-token");
        assert_eq!(first(&systemd, None), pair("of-systemd", source));
    }

    #[test]
    fn a_file_that_has_none_or_is_open_to_others_is_told_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let said = found(&[], Some(&missing)).unwrap_err().to_string();
        assert!(said.contains("twilio.auth_token_file: expected a readable file"), "{said}");
        let unfit = file(folder.path(), "unfit", "s3cr3t s3cr3t\n", 0o600);
        let said = found(&[], Some(&unfit)).unwrap_err().to_string();
        assert!(
            said.contains("line 1: expected an auth token") && !said.contains("s3cr3t"),
            "{said}"
        );
        for (mode, is_open) in [(0o600, false), (0o640, true), (0o604, true)] {
            let path = file(folder.path(), "open", "s3cr3t\n", mode);
            let found = found(&[], Some(&path)).unwrap();
            let said = format!("{found:?}");
            assert_eq!(found.warning.is_some(), is_open, "{mode:o}");
            assert!(!said.contains("s3cr3t"), "{said}");
        }
    }
}
