//! The admin listener: where it is, who may use it.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::layers::Layers;
use super::listeners::mistake;
use super::resolve::Values;
use super::value::Value;

/// Fewest characters of a token: random, so many can't be guessed.
const SHORTEST_TOKEN: usize = 16;
/// Most bytes of a token's file.
const LONGEST_TOKEN: u64 = 4096;

/// The admin listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListener {
    /// None.
    Off,
    /// An address; only who knows the token may ask.
    Address {
        /// Where it listens.
        address: SocketAddr,
        /// The file that holds the token.
        token_file: PathBuf,
        /// Names, besides `localhost` and the address, under which it is reached; lower case.
        hosts: Vec<String>,
    },
    /// A Unix socket; only this user may ask.
    Socket {
        /// Where it is.
        path: PathBuf,
        /// Names, besides `localhost`, under which it is reached; lower case.
        hosts: Vec<String>,
    },
}

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It can't be read.
    #[error("expected a readable file with a token, found `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What it holds is no token.
    #[error(
        "expected a token of at least {SHORTEST_TOKEN} printable ASCII characters in one line of `{}`, found {found}", path.display()
    )]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is there; never the text itself.
        found: String,
    },
}

/// Reads the token that a file holds; blanks and line ends around it don't count.
pub fn read_token(path: &Path) -> Result<String, TokenError> {
    let failed = |source| TokenError::Io { path: path.to_owned(), source };
    let unfit = |found: String| TokenError::Unfit { path: path.to_owned(), found };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST_TOKEN + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST_TOKEN {
        return Err(unfit(format!("more than {LONGEST_TOKEN} bytes")));
    }
    let token = bytes.trim_ascii();
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err(unfit("blanks, line ends or other characters in it".to_owned()));
    }
    if token.len() < SHORTEST_TOKEN {
        return Err(unfit(format!("{} characters", token.len())));
    }
    Ok(String::from_utf8_lossy(token).into_owned())
}

/// The admin listener of a configuration; off where something is wrong with it.
pub(super) fn resolve(layers: &Layers, text: &str, errors: &mut Vec<ConfigError>) -> AdminListener {
    let own = Values(&layers.entries);
    let Some(listen) = layers.entries.get("admin.listen") else { return AdminListener::Off };
    let hosts = hosts(layers, text, errors);
    let address = match &listen.value {
        Value::Socket(path) => return AdminListener::Socket { path: path.clone(), hosts },
        Value::Address(address) => *address,
        _ => return AdminListener::Off,
    };
    let Some(token_file) = own.path("admin.token_file") else {
        let message = format!(
            "expected `token_file` beside the address `{address}`, found none: whoever reaches it could read incidents"
        );
        let help = "name a file with a token (`openssl rand -hex 32`), or listen on a socket: \"unix:/run/twiml-guard/admin.sock\"";
        errors.push(mistake("admin.listen", listen, text, message, help));
        return AdminListener::Off;
    };
    if let (Err(error), Some(entry)) =
        (read_token(&token_file), layers.entries.get("admin.token_file"))
    {
        let help = "make one: `umask 077; openssl rand -hex 32 > FILE`";
        errors.push(mistake("admin.token_file", entry, text, error.to_string(), help));
    }
    AdminListener::Address { address, token_file, hosts }
}

fn hosts(layers: &Layers, text: &str, errors: &mut Vec<ConfigError>) -> Vec<String> {
    let own = Values(&layers.entries);
    let (Some(hosts), Some(entry)) = (own.list("admin.hosts"), layers.entries.get("admin.hosts"))
    else {
        return Vec::new();
    };
    let is_name = |host: &String| {
        host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    if let Some(odd) = hosts.iter().find(|host| !is_name(host)) {
        let message = format!("expected host names, found `{}`", odd.escape_debug());
        let help = "write the name alone: no scheme, no port, no path";
        errors.push(mistake("admin.hosts", entry, text, message, help));
    }
    hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_one_long_word_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_token(&path)
        };
        assert_eq!(read("  0123456789abcdef\n").unwrap(), "0123456789abcdef");
        for (text, found) in [
            ("", "found 0 characters"),
            ("0123456789abcde\n", "found 15 characters"),
            ("0123456789abcdef 0123456789abcdef", "found blanks"),
            ("שלום0123456789abcdef", "found blanks, line ends or other characters"),
            (&"x".repeat(5000), "more than 4096 bytes"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(found) && !error.contains("89abc"), "{error}");
        }
        assert!(matches!(read_token(folder.path()), Err(TokenError::Io { .. })));
    }
}
