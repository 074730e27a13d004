//! Why a question got no answer, with the code under which Twilio would log it.

use std::net::SocketAddr;

use crate::twilio::limits::WEBHOOK_TIMEOUT;

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No TCP connection.
    #[error("could not connect to {to} ({source}); is something listening there?")]
    Connect {
        /// The address.
        to: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No TCP connection in Twilio's time for one.
    #[error("no connection to {to} within 5 s; a firewall may drop it")]
    ConnectTimeout {
        /// The address.
        to: SocketAddr,
    },
    /// The redirect leads to a host that is not asked.
    #[error("the redirect leads to {url}, another host, which is not asked")]
    ForeignRedirect {
        /// Where.
        url: String,
    },
    /// The answer is not HTTP, or is cut.
    #[error("expected an HTTP answer from {to}, found {found}")]
    Http {
        /// The address.
        to: SocketAddr,
        /// What came.
        found: String,
    },
    /// A name that leads nowhere.
    #[error("expected a host that can be found, found `{host}`: {source}")]
    NoHost {
        /// The name.
        host: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A redirect that Twilio does not follow.
    #[error("expected 301, 302, 303 or 307 with a Location, found {status} {location}")]
    Redirect {
        /// The status.
        status: u16,
        /// Where it leads.
        location: String,
    },
    /// An address at which nothing but secrets is to be had.
    #[error("`{host}` is {why}, which is never asked")]
    RefusedAddress {
        /// The host as written.
        host: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Path or header could not be put into a request.
    #[error("path `{target}` makes no request; give an absolute path such as `/voice`")]
    Request {
        /// Path and query.
        target: String,
        /// Why.
        source: http::Error,
    },
    /// TLS failed.
    #[error(transparent)]
    Tls(#[from] super::tls::TlsFailure),
    /// More redirects than Twilio follows.
    #[error("more than 10 redirects, the last to {url}")]
    TooManyRedirects {
        /// Where the last one leads.
        url: String,
    },
    /// Twilio's own patience is over.
    #[error("no whole answer from {to} within {} s", WEBHOOK_TIMEOUT.as_secs())]
    TooLate {
        /// Whom.
        to: String,
    },
    /// A URL that can't be asked.
    #[error(transparent)]
    Url(#[from] super::url::UrlError),
}

impl ProbeError {
    /// The code under which Twilio would log it.
    pub fn code(&self) -> u32 {
        match self {
            Self::Connect { .. } => 11_202,
            Self::ConnectTimeout { .. } => 11_201,
            Self::ForeignRedirect { .. } | Self::RefusedAddress { .. } => 11_200,
            Self::Http { .. } => 11_206,
            Self::NoHost { .. } => 11_210,
            Self::Redirect { .. } => 11_216,
            Self::Request { .. } | Self::Url(_) => 11_100,
            Self::Tls(failure) => failure.code(),
            Self::TooLate { .. } => 11_205,
            Self::TooManyRedirects { .. } => 11_215,
        }
    }

    /// Whether no connection came about: the only failure after which Twilio tries again.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::ConnectTimeout { .. } | Self::Tls(_))
    }
}
