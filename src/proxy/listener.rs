//! The public listener: bound once, accepted from by every worker.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::deadlines::Deadlines;
use super::headers::Peer;
use super::seats::Seat;
use super::socket::Bare;
use crate::config::Listen;
use crate::unix_socket::{SocketError, SocketFile, UnixSocket};

/// Open files that are not for connections: listeners, logs, state, runtimes.
const OTHER_FILES: usize = 64;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// How often idle connections are asked to make room.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Pause after an accept that failed, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(200);

/// Who may connect to a Unix socket: its user and its group.
const SOCKET_MODE: u32 = 0o660;

/// A client that vanished is found out after a minute of silence and four unanswered questions.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;

/// Bytes of an answer that the system holds unsent, so that it shows how fast a client takes it.
const UNSENT: u32 = 128 * 1024;

/// What is listened on; shared by duplicates.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A listener, what it listens on exactly, and the file that has to outlive it.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: Listener,
    pub(super) at: Listen,
    pub(super) file: Option<SocketFile>,
}

/// Why there is no listener.
#[derive(Debug)]
pub(super) enum Failed {
    Address(SocketAddr, io::Error),
    Socket(SocketError),
}

/// Binds the public address.
pub(super) fn bind(listen: &Listen) -> Result<Bound, Failed> {
    match listen {
        Listen::Tcp(address) => {
            let failed = |error| Failed::Address(*address, error);
            let listener = bind_tcp(*address).map_err(failed)?;
            let at = Listen::Tcp(listener.local_addr().map_err(failed)?);
            Ok(Bound { listener: Listener::Tcp(listener), at, file: None })
        }
        Listen::Unix(path) => {
            let socket = UnixSocket::bind(path, SOCKET_MODE).map_err(Failed::Socket)?;
            let (listener, file) = socket.into_parts();
            listener
                .set_nonblocking(true)
                .map_err(|source| Failed::Socket(SocketError::Io { path: path.clone(), source }))?;
            Ok(Bound { listener: Listener::Unix(listener), at: listen.clone(), file: Some(file) })
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for old connections to time out. Not SO_REUSEPORT: a second guard
    // on the same address has to fail, not to take half of the calls.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    prepare(&socket);
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Listener {
    /// Another handle on the same listener.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }

    fn into_tokio(self) -> io::Result<Accepting> {
        match self {
            Self::Tcp(listener) => tokio::net::TcpListener::from_std(listener).map(Accepting::Tcp),
            Self::Unix(listener) => {
                tokio::net::UnixListener::from_std(listener).map(Accepting::Unix)
            }
        }
    }
}

/// How many client connections may be open, of `wanted`: each may need a second one, to the
/// backend, and a webhook must never fail because idle clients hold every file that may be open.
pub(super) fn max_connections(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    wanted.min(share_of(open_files(&limits).unwrap_or(usize::MAX)))
}

fn share_of(files: usize) -> usize {
    (files.saturating_sub(OTHER_FILES) / 2).max(16)
}

/// The soft limit in Linux' table of a process's limits; `None` if unlimited or unknown.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[derive(Debug)]
enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Accepting {
    async fn accept(&self) -> io::Result<(Bare, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Bare::Tcp(stream), Some(peer)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Bare::Unix(stream), None))
            }
        }
    }
}

/// Sets what every connection inherits from its listener. What the system refuses of this only
/// makes them slower, or slower to be given up.
fn prepare(socket: &Socket) {
    let _ = socket.set_tcp_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_RETRIES);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}

/// The time in which nothing could be accepted, told once at its beginning and once at its end;
/// shared by the workers.
#[derive(Debug, Default)]
pub(super) struct Outage {
    is_on: AtomicBool,
    so_far: Mutex<Option<(Instant, u64)>>,
}

impl Outage {
    fn failed(&self, error: &io::Error) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_on.store(true, Relaxed);
        let (_, attempts) = so_far.get_or_insert_with(|| {
            tracing::warn!(
                %error,
                "no connection can be accepted; retrying (out of open files? raise the limit)"
            );
            (Instant::now(), 0)
        });
        *attempts += 1;
    }

    /// While it lasts, a client is accepted only where a way to the backend can be opened too.
    fn check_room(&self) -> io::Result<()> {
        if self.is_on.load(Relaxed) {
            let (_one, _other) = (File::open("/dev/null")?, File::open("/dev/null")?);
        }
        Ok(())
    }

    fn worked(&self) {
        if !self.is_on.load(Relaxed) {
            return;
        }
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_on.store(false, Relaxed);
        if let Some((since, attempts)) = so_far.take() {
            let lasted_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(attempts, lasted_ms, "connections are accepted again");
        }
    }
}

/// What a connection holds as long as it is open: its part of what may be open, and its seat.
#[derive(Debug)]
pub(super) struct Permit {
    _open: OwnedSemaphorePermit,
    seat: Option<Seat>,
}

impl Permit {
    pub(super) fn new(open: OwnedSemaphorePermit) -> Self {
        Self { _open: open, seat: None }
    }

    /// Takes this seat, and gives the one before free.
    pub(super) fn sits(&mut self, seat: Seat) {
        self.seat = Some(seat);
    }
}

/// Accepts connections, never more than its share, and rests when the system has no more to give.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: Accepting,
    permits: Arc<Semaphore>,
    deadlines: Arc<Deadlines>,
    outage: Arc<Outage>,
    pause: Duration,
}

impl Acceptor {
    /// Holds at most `connections` open; needs a runtime. Those in `deadlines` make room for
    /// others when it has no more.
    pub(super) fn new(
        listener: Listener,
        connections: usize,
        deadlines: Arc<Deadlines>,
        outage: Arc<Outage>,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: listener.into_tokio()?,
            permits: Arc::new(Semaphore::new(connections.max(1))),
            deadlines,
            outage,
            pause: FIRST_PAUSE,
        })
    }

    async fn permit(&self) -> Option<Permit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(Permit::new(permit));
        }
        loop {
            self.deadlines.make_room();
            let permit = Arc::clone(&self.permits).acquire_owned();
            if let Ok(permit) = timeout(ASK_AGAIN, permit).await {
                return permit.ok().map(Permit::new);
            }
        }
    }

    /// The next connection, whom it is from, and the permit to be held while it is open.
    pub(super) async fn accept(&mut self) -> (Bare, Peer, Permit) {
        loop {
            let Some(permit) = self.permit().await else {
                // Nobody closes the semaphore.
                std::future::pending::<()>().await;
                continue;
            };
            let accepted = match self.outage.check_room() {
                Ok(()) => self.listener.accept().await,
                Err(error) => Err(error),
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    self.outage.worked();
                    let ip = peer.map(|peer| peer.ip());
                    return (stream, Peer { ip, is_tls: false }, permit);
                }
                // The client left before it was accepted.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    self.outage.failed(&error);
                    drop(permit);
                    self.deadlines.make_room();
                    sleep(self.pause).await;
                    self.pause = (self.pause * 2).min(LAST_PAUSE);
                }
            }
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_backend() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             31000                31000                processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(share_of(1024), 480);
        assert_eq!(share_of(0), 16);
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files"),
            None
        );
        assert_eq!(open_files(""), None);
    }

    #[test]
    fn connections_inherit_what_is_set_on_their_listener() {
        let listener = bind_tcp(([127, 0, 0, 1], 0).into()).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = socket2::SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
    }
}
