//! Names to addresses, addresses to connections.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::config::Upstream;
use crate::guard::Failure;
use crate::proxy::socket::Socket;

/// How long looked-up addresses are used without asking again.
const FRESH: Duration = Duration::from_secs(10);

/// Looks names up, and remembers what was last good: a name server that is down must not take
/// the backend with it.
#[derive(Debug, Default)]
pub(super) struct Resolver(Mutex<HashMap<String, Known>>);

#[derive(Debug, Clone)]
struct Known {
    addresses: Vec<IpAddr>,
    since: Instant,
    trusted: bool,
}

impl Resolver {
    /// The addresses of a host, at least one; the lookup may take half of `limit`.
    async fn addresses(&self, host: &str, limit: Duration) -> Result<Vec<IpAddr>, io::Error> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        let known = self.lock().get(host).cloned();
        if let Some(known) = &known
            && known.trusted
            && known.since.elapsed() < FRESH
        {
            return Ok(known.addresses.clone());
        }
        let asked = match timeout(limit / 2, lookup_host((host, 0))).await {
            Ok(Ok(found)) => {
                let mut found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
                found.dedup();
                if found.is_empty() {
                    Err(io::Error::other("the name has no address"))
                } else {
                    Ok(found)
                }
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the name server does not answer"))
            }
        };
        match (asked, known) {
            (Ok(addresses), _) => {
                let entry =
                    Known { addresses: addresses.clone(), since: Instant::now(), trusted: true };
                self.lock().insert(host.to_owned(), entry);
                Ok(addresses)
            }
            (Err(_), Some(known)) => Ok(known.addresses),
            (Err(error), None) => Err(error),
        }
    }

    /// None of the addresses could be connected to: ask again next time.
    fn distrust(&self, host: &str) {
        if let Some(known) = self.lock().get_mut(host) {
            known.trusted = false;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to a backend: every address of its name in turn, all within `limit`.
///
/// Gives a stream with TCP_NODELAY, or why there is none.
pub(super) async fn connect(
    resolver: &Resolver,
    upstream: &Upstream,
    limit: Duration,
) -> Result<Socket, Failure> {
    let deadline = Instant::now() + limit;
    let unreachable = |error: &io::Error| Failure::Unreachable {
        address: upstream.authority(),
        detail: error.to_string(),
    };
    let addresses =
        resolver.addresses(&upstream.host, limit).await.map_err(|error| unreachable(&error))?;
    let mut worst = Failure::ConnectTimeout;
    for (at, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let behind = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let address = SocketAddr::new(*address, upstream.port);
        worst = match timeout(left / behind, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it small frames of a media stream wait for acknowledgements.
                let _ = stream.set_nodelay(true);
                return Ok(stream.into());
            }
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    Failure::Refused { address: upstream.authority() }
                }
                io::ErrorKind::TimedOut => Failure::ConnectTimeout,
                io::ErrorKind::ConnectionReset => Failure::Reset,
                _ if is_our_own(&error) => Failure::Internal {
                    detail: format!(
                        "no connection to the backend can be opened: {error}; raise the limit of open files"
                    ),
                },
                _ => unreachable(&error),
            },
            Err(_) => Failure::ConnectTimeout,
        };
    }
    resolver.distrust(&upstream.host);
    Err(worst)
}

/// EMFILE, ENFILE: out of descriptors, which is not the backend's fault.
fn is_our_own(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
