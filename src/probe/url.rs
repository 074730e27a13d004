//! A URL as Twilio asks for it.

use std::fmt;
use std::str::FromStr;

/// A URL that can be asked, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http`, `https`, `ws` or `wss`.
    pub scheme: Scheme,
    /// Host name or address, no brackets.
    pub host: String,
    /// The port where it is written.
    pub port: Option<u16>,
    /// `user:password`, decoded as it is written.
    pub userinfo: Option<String>,
    /// Path and query, byte for byte; at least `/`.
    pub target: String,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http`
    Http,
    /// `https`
    Https,
    /// `ws`
    Ws,
    /// `wss`
    Wss,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Http, Self::Https, Self::Ws, Self::Wss];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether it is spoken over TLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Wss)
    }
}

/// A text that is no URL which can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as https://pbx.example.com/voice, found {found}")]
pub struct UrlError {
    /// What is wrong with it; never its credentials.
    pub found: String,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = |found: String| Err(UrlError { found });
        let Some((scheme, rest)) = text.split_once("://") else {
            return wrong("one without http:// or https://".to_owned());
        };
        let named = |known: &Scheme| known.name().eq_ignore_ascii_case(scheme);
        let Some(scheme) = Scheme::ALL.into_iter().find(named) else {
            return wrong("a scheme that is not asked".to_owned());
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, rest)) => (Some(userinfo.to_owned()), rest),
            None => (None, authority),
        };
        let (host, port) = match host_port.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => match host_port.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (host_port, None),
            },
        };
        let port = match port.filter(|port| !port.is_empty()).map(str::parse) {
            Some(Ok(port)) => Some(port),
            Some(Err(_)) => return wrong(format!("no port in `{host_port}`")),
            None => None,
        };
        if host.is_empty() {
            return wrong("one without a host".to_owned());
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return wrong("blanks in it".to_owned());
        }
        let target = match target.chars().next() {
            Some('/') => target.to_owned(),
            _ => format!("/{target}"),
        };
        Ok(Self { scheme, host: host.to_owned(), port, userinfo, target })
    }
}

impl Url {
    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.scheme.is_secure() { 443 } else { 80 })
    }

    /// Host and written port: the Host header.
    pub fn authority(&self) -> String {
        let host = self.host_in_brackets();
        self.port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// Whether both are on the same host and port; the scheme does not matter where neither port is
    /// written.
    pub fn is_same_host(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(&other.host)
            && (self.port() == other.port() || (self.port.is_none() && other.port.is_none()))
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The same with more in its query.
    #[must_use]
    pub fn with_query(&self, form: &str) -> Self {
        let mut url = self.clone();
        if !form.is_empty() {
            url.target.push(if url.target.contains('?') { '&' } else { '?' });
            url.target.push_str(form);
        }
        url
    }

    fn host_in_brackets(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Url {
    /// Without credentials and fragment: as it is signed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_back_without_credentials_and_fragment() {
        for (text, expected) in [
            ("https://pbx.example.com", "https://pbx.example.com/"),
            ("https://pbx.example.com?x=1", "https://pbx.example.com/?x=1"),
            ("http://u:p@h:81//a/?x=%20y#rc=2", "http://h:81//a/?x=%20y"),
            ("WSS://[::1]:9/s", "wss://[::1]:9/s"),
        ] {
            assert_eq!(text.parse::<Url>().unwrap().to_string(), expected);
        }
        assert_eq!("http://u:p@h/".parse::<Url>().unwrap().userinfo.as_deref(), Some("u:p"));
    }

    #[test]
    fn what_is_no_url_is_said() {
        for text in ["/voice", "ftp://h/", "https:///x", "https://h:x/", "https://h/a b"] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_compared_with_their_ports() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        assert!(url("https://H/a").is_same_host(&url("http://h/b")));
        assert!(url("https://h:443/a").is_same_host(&url("https://h/b")));
        assert!(!url("https://h:444/a").is_same_host(&url("https://h/b")));
        assert_eq!(url("ws://h/").port(), 80);
    }
}
