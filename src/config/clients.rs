//! What clients may take: connections and time.

use std::time::Duration;

use super::resolve::Values;

/// How many clients there may be, and how slow they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clients {
    /// Open connections, streams included.
    pub max_connections: usize,
    /// Time for a TLS handshake, and for a request's head from its first byte.
    pub head_timeout: Duration,
    /// Time that a connection may wait for its first or next request.
    pub idle_timeout: Duration,
    /// Time in which a client takes at least 1 KiB of what waits for it.
    pub write_timeout: Duration,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(65),
            write_timeout: Duration::from_mins(1),
        }
    }
}

pub(super) fn resolve(own: &Values<'_>) -> Option<Clients> {
    Some(Clients {
        max_connections: own.count("max_connections")?,
        head_timeout: own.duration("head_timeout")?,
        idle_timeout: own.duration("idle_timeout")?,
        write_timeout: own.duration("write_timeout")?,
    })
}
