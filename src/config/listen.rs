//! Where Twilio's requests arrive.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::keys::Kind;
use super::value;

/// Where Twilio's requests arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// The address, where it is one.
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for Listen {
    type Err = String;

    /// From `127.0.0.1:8080` or `unix:/path`; the error says what was expected.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let socket = value::socket(text).map(Self::Unix);
        socket
            .or_else(|| value::address(text).map(Self::Tcp))
            .ok_or_else(|| format!("expected {}", value::describe(Kind::Listen)))
    }
}

impl Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["127.0.0.1:8080", "[::1]:0", "unix:/run/guard/http.sock"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        for text in ["8080", "unix:http.sock", "unix:/run/", "unix:"] {
            assert!(text.parse::<Listen>().unwrap_err().contains("unix:/run"), "{text}");
        }
    }
}
