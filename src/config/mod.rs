//! Configuration: raw (as typed) to resolved (valid by construction).

mod admin;
pub mod alias;
mod clients;
pub mod error;
mod fallbacks;
pub mod keys;
mod languages;
pub mod layers;
mod listen;
mod listeners;
mod load;
mod networks;
pub mod notify;
pub mod otlp;
mod reload;
mod resolve;
pub mod route;
mod schema;
mod secret;
mod signature;
mod template;
pub mod tls;
pub mod tokens;
mod upstream;
mod upstream_tls;
pub mod upstreams;
mod url;
pub mod value;

pub use admin::{AdminListener, TokenError, read_token};
pub use clients::Clients;
pub use error::ConfigErrors;
pub use listen::Listen;
pub use load::{Flags, Loaded, Sources, load, load_text};
pub use networks::Network;
pub use schema::schema;
pub use secret::Secret;
pub use signature::{SignatureMode, Signatures};
pub use template::Template;
pub use tls::TlsFiles;
pub use upstream::{Place, Upstream};
pub use upstream_tls::UpstreamTls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::guard::Policy;
pub use crate::telemetry::settings::{LogBody, LogConfig, LogFormat};
use route::Route;

/// The resolved configuration: every value valid, no `Option` for "default".
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Twilio's requests arrive.
    pub listen: Listen,
    /// What `listen` identifies itself with, where it speaks TLS.
    pub tls: Option<TlsFiles>,
    /// How many clients there may be, and how slow they may be.
    pub clients: Clients,
    /// The ops listener.
    pub ops: OpsListener,
    /// Who may take the guard out of the load over the ops listener.
    pub ops_drain: OpsDrain,
    /// The admin listener.
    pub admin: AdminListener,
    /// Time for one webhook in all, connect included.
    pub budget: Duration,
    /// Time for a connection to the backend, TLS included.
    pub connect_timeout: Duration,
    /// Most guarded requests at one backend at a time.
    pub max_webhooks: usize,
    /// How patient the guard is with a backend; no key sets it.
    pub patience: upstreams::Patience,
    /// What TLS with backends needs, where it is spoken.
    pub upstream_tls: Option<UpstreamTls>,
    /// Most bytes of a guarded answer's body, as received.
    pub max_answer_body: usize,
    /// Most bytes of a guarded request's body.
    pub max_request_body: usize,
    /// Most bytes of a request's head.
    pub max_head: usize,
    /// Most headers of a request.
    pub max_headers: usize,
    /// Most bytes of guarded requests and answers that are held at a time.
    pub max_buffered: usize,
    /// Time limits of what is passed on unguarded.
    pub pass: PassLimits,
    /// Time that in-flight requests have after SIGTERM.
    pub drain_timeout: Duration,
    /// Time in which connections are still taken after SIGTERM, and told to close.
    pub drain_grace: Duration,
    /// How often the files are looked at; zero: never.
    pub reload_every: Duration,
    /// Current-thread runtimes that serve.
    pub workers: usize,
    /// Log lines.
    pub log: LogConfig,
    /// What is kept of incidents.
    pub incidents: IncidentsConfig,
    /// Webhooks that are told of outbreaks.
    pub notify: Vec<notify::Notify>,
    /// Paths that the backend has under another name.
    pub aliases: Vec<alias::Alias>,
    /// Collectors that are sent incidents and metrics.
    pub otlp: otlp::Otlp,
    /// What signatures are checked with.
    pub signatures: Signatures,
    /// What is kept of callbacks that wait to be redelivered.
    pub callbacks: QueueConfig,
    /// Where state is kept, if anywhere.
    pub state_dir: Option<PathBuf>,
    /// `https://pbx.example.com`, no trailing slash.
    pub public_url: Option<String>,
    /// Hash of everything that was configured, hexadecimal: changes when any value does.
    pub hash: Arc<str>,
    /// Configured routes, in the order in which they are tried.
    pub routes: Vec<Arc<Route>>,
    /// Route of every request that no configured route matches: recognised or passed through.
    pub default_route: Arc<Route>,
}

/// What is kept of incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentsConfig {
    /// How much of what people say and key in.
    pub capture: Capture,
    /// Parameters whose values are masked besides the known ones.
    pub mask: Vec<String>,
    /// For how long.
    pub keep_for: Duration,
    /// Up to how many bytes of file.
    pub max_size: usize,
    /// An outbreak without an incident for so long is closed.
    pub quiet_after: Duration,
}

/// Time limits of what is passed on unguarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassLimits {
    /// For the first byte of the answer, once the request is sent.
    pub first_byte: Duration,
    /// For silence in a request's body or in an answer.
    pub idle: Duration,
}

impl Default for PassLimits {
    fn default() -> Self {
        Self { first_byte: Duration::from_mins(1), idle: Duration::from_mins(1) }
    }
}

/// What is kept of callbacks that wait to be redelivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// Up to how many bytes.
    pub max_size: usize,
    /// For how long.
    pub keep_for: Duration,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { max_size: 64 * 1024 * 1024, keep_for: Duration::from_hours(24) }
    }
}

/// How much of what people say and key in is kept. Credentials never are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Capture {
    /// Everything else.
    Full,
    /// Numbers but for their last four digits; nothing keyed, spoken or written.
    #[default]
    Masked,
}

impl Capture {
    /// Its name in config and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Masked => "masked",
        }
    }
}

/// The ops listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpsListener {
    /// None.
    Off,
    /// The default address: if it is taken, the guard says so and serves on.
    Default(SocketAddr),
    /// A configured address: if it is taken, that is an error.
    Configured(SocketAddr),
}

/// Who may take the guard out of the load over the ops listener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OpsDrain {
    /// Whoever reaches it.
    Any,
    /// This machine (or Pod) alone.
    #[default]
    Loopback,
    /// Nobody.
    Off,
}

impl OpsDrain {
    /// Its word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Loopback => "loopback",
            Self::Off => "off",
        }
    }
}

/// A policy shared by the requests of a route.
pub type SharedPolicy = Arc<Policy>;
