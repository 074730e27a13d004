//! Where a route's requests go.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A backend: where it listens, and whether TLS is spoken with it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Where it listens.
    pub place: Place,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// Where a backend listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// On a TCP port.
    Tcp {
        /// Host name or IP address, without brackets.
        host: Arc<str>,
        /// TCP port.
        port: u16,
    },
    /// On a Unix socket, by its path.
    Unix(Arc<Path>),
}

impl Upstream {
    /// A TCP port without TLS.
    pub fn tcp(host: &str, port: u16) -> Self {
        Self { place: Place::Tcp { host: host.into(), port }, tls: false }
    }

    /// `host:port`, lower case, IPv6 in brackets; `unix:/path` of a Unix socket. Its name in logs,
    /// metrics and records.
    pub fn authority(&self) -> String {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port } => format!("{}:{port}", host.to_ascii_lowercase()),
            Place::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// What a request's Host header says where its sender named none.
    pub fn host_header(&self) -> String {
        match &self.place {
            Place::Tcp { .. } => self.authority(),
            Place::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Upstream {
    /// As it stands in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.place, self.tls) {
            (Place::Unix(_), _) => f.write_str(&self.authority()),
            (Place::Tcp { .. }, true) => write!(f, "https://{}", self.authority()),
            (Place::Tcp { .. }, false) => write!(f, "http://{}", self.authority()),
        }
    }
}

impl std::str::FromStr for Upstream {
    type Err = &'static str;

    /// From `http://host:port`, `https://host:port` or `unix:/path`; the error says what is wrong
    /// with it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            // sun_path of unix(7) has room for 107 bytes and a zero.
            return match path {
                _ if !path.starts_with('/') => Err("the path of a Unix socket begins with /"),
                _ if path.len() > 107 || path.contains('\0') => {
                    Err("the path of a Unix socket has at most 107 bytes")
                }
                _ => Ok(Self { place: Place::Unix(Path::new(path).into()), tls: false }),
            };
        }
        let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err("it begins with http://, https:// or unix:/"),
        };
        let (host, port) = host_and_port(rest, if tls { 443 } else { 80 })?;
        Ok(Self { place: Place::Tcp { host: host.into(), port }, tls })
    }
}

fn host_and_port(rest: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) {
        return Err("a path does not belong here: requests keep their own");
    }
    if authority.contains('@') {
        return Err("credentials do not belong here");
    }
    let parsed: http::uri::Authority =
        authority.parse().map_err(|_| "host and port are not readable")?;
    let host = parsed.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return Err("the host is missing");
    }
    let port = match authority.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or("the port is not a number from 1 to 65535")?,
        _ => default_port,
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_alike() {
        for (text, written, host) in [
            ("http://app", "http://app:80", "app:80"),
            ("https://App.example.com/", "https://app.example.com:443", "app.example.com:443"),
            ("https://[::1]:8443", "https://[::1]:8443", "[::1]:8443"),
            ("unix:/run/app.sock", "unix:/run/app.sock", "localhost"),
        ] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(
                (upstream.to_string().as_str(), upstream.host_header().as_str()),
                (written, host)
            );
        }
        for text in ["unix:app.sock", "ftp://app", "https://app/path", "https://", "http://a:0"] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
        assert!(format!("unix:/{}", "a".repeat(107)).parse::<Upstream>().is_err());
    }
}
