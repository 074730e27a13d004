//! Asks the running guard, over its control socket or its admin listener.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use serde_json::Value;

/// Time for a connection, and for each read and write.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// A guard, as it can be reached.
#[derive(Debug)]
pub(in crate::cli) struct Guard {
    place: Place,
    token: Option<String>,
}

#[derive(Debug)]
enum Place {
    /// The socket in a state directory.
    Control(PathBuf),
    /// A socket that was named.
    Socket(PathBuf),
    /// `host:port`
    Address(String),
}

/// Why no guard answers.
#[derive(Debug)]
pub(in crate::cli) struct Unreachable {
    place: String,
    advice: &'static str,
    source: io::Error,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, advice, source } = self;
        write!(
            f,
            "expected a running guard at {place}, found none that answers ({source}); {advice}"
        )
    }
}

impl std::error::Error for Unreachable {}

impl Guard {
    /// The guard with this control socket.
    pub(in crate::cli) fn behind(control: PathBuf) -> Self {
        Self { place: Place::Control(control), token: None }
    }

    /// The guard whose admin listener is at `http://host:port` or `unix:/path`. `Err` says what was
    /// expected.
    pub(in crate::cli) fn at(url: &str, token_file: Option<&Path>) -> Result<Self, String> {
        let place = match url.strip_prefix("unix:") {
            Some(path) => Place::Socket(PathBuf::from(path)),
            None => Place::Address(authority(url)?),
        };
        let token = match (token_file, &place) {
            (Some(file), _) => Some(token(file)?),
            (None, Place::Address(_)) => {
                return Err("expected --token-file beside an address, found none; name the file of [admin] token_file".to_owned());
            }
            (None, _) => None,
        };
        Ok(Self { place, token })
    }

    /// Sends one request; gives the status and the JSON of the answer.
    pub(in crate::cli) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> Result<(u16, Value), Unreachable> {
        let host = match &self.place {
            Place::Address(authority) => authority,
            Place::Control(_) | Place::Socket(_) => "localhost",
        };
        let token = self.token.iter().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let kind = body.iter().map(|body| {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        });
        let more: String = token.chain(kind).collect();
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n{body}"
        );
        let answer = match &self.place {
            Place::Control(path) | Place::Socket(path) => over_socket(path, &request),
            Place::Address(authority) => over_network(authority, &request),
        };
        answer.and_then(|answer| read(&answer)).map_err(|source| self.unreachable(source))
    }

    fn unreachable(&self, source: io::Error) -> Unreachable {
        let place = match &self.place {
            Place::Control(path) | Place::Socket(path) => path.display().to_string(),
            Place::Address(authority) => authority.clone(),
        };
        let advice = match (&self.place, source.kind()) {
            (Place::Control(_) | Place::Socket(_), ErrorKind::PermissionDenied) => {
                "run this as the user that the guard runs as"
            }
            (Place::Control(_), _) => {
                "start it, or name its folder with --state-dir, or its admin listener with --admin"
            }
            (Place::Socket(_) | Place::Address(_), _) => "see [admin] listen in its configuration",
        };
        Unreachable { place, advice, source }
    }
}

fn authority(url: &str) -> Result<String, String> {
    let fault = |found: &str| {
        format!(
            "expected --admin like http://127.0.0.1:9901 or unix:/run/twiml-guard/admin.sock, found `{}`",
            found.escape_debug()
        )
    };
    let uri: Uri = url.parse().map_err(|_| fault(url))?;
    if uri.scheme_str() == Some("https") {
        return Err(
            "expected --admin with http://: TLS is not spoken here; ask on the guard's machine, or through a tunnel".to_owned(),
        );
    }
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    match uri.authority().filter(|_| uri.scheme_str() == Some("http") && is_bare) {
        Some(authority) if !authority.as_str().contains('@') => match authority.port() {
            Some(_) => Ok(authority.as_str().to_owned()),
            None => Ok(format!("{authority}:80")),
        },
        _ => Err(fault("what is no such URL")),
    }
}

fn token(file: &Path) -> Result<String, String> {
    crate::config::read_token(file).map_err(|error| error.to_string())
}

fn over_socket(path: &Path, request: &str) -> io::Result<Vec<u8>> {
    // Where the folder can't be looked into, connecting only says that nothing is there.
    fs::symlink_metadata(path)?;
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    exchange(stream, request)
}

fn over_network(authority: &str, request: &str) -> io::Result<Vec<u8>> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return exchange(stream, request);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}

/// Status and JSON of an answer of the admin API, which never comes in chunks.
fn read(answer: &[u8]) -> io::Result<(u16, Value)> {
    let odd = || io::Error::new(ErrorKind::InvalidData, "what answers is no twiml-guard");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(odd)?;
    let (head, body) = answer.split_at(end);
    let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3)).ok_or_else(odd)?;
    let status = std::str::from_utf8(status).ok().and_then(|code| code.parse().ok());
    let json = serde_json::from_slice(body.get(4..).unwrap_or_default()).map_err(|_| odd())?;
    Ok((status.ok_or_else(odd)?, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_or_a_socket_is_taken() {
        assert_eq!(authority("http://127.0.0.1:9901").unwrap(), "127.0.0.1:9901");
        assert_eq!(authority("http://[::1]:9901/").unwrap(), "[::1]:9901");
        assert_eq!(authority("http://guard.internal").unwrap(), "guard.internal:80");
        for url in ["127.0.0.1:9901", "https://x", "http://x/api", "http://u:p@x", "http://", "x y"]
        {
            let error = authority(url).unwrap_err();
            assert!(error.contains("expected --admin") && !error.contains("u:p"), "{url}: {error}");
        }
        assert!(Guard::at("http://127.0.0.1:9901", None).unwrap_err().contains("--token-file"));
        assert!(Guard::at("unix:/s", None).is_ok());
    }

    #[test]
    fn answers_of_others_are_told() {
        let good = b"HTTP/1.1 404 Not Found\r\nx: y\r\n\r\n{\"error\": \"no\"}\n";
        assert_eq!(read(good).unwrap().0, 404);
        for odd in
            [&b""[..], b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0\r\n\r\n{}", b"HTTP/1.1 2\r\n\r\n{}"]
        {
            assert!(read(odd).unwrap_err().to_string().contains("no twiml-guard"));
        }
    }
}
