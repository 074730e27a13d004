//! The public listener: bound once, accepted from by every worker.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Open client connections of all workers together; beyond, new ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 10_000;

/// Open files that are not for connections: listeners, logs, state, runtimes.
const OTHER_FILES: usize = 64;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// How often idle connections are asked to make room.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Pause after an accept that failed, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Binds the public address.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for old connections to time out. Not SO_REUSEPORT: a second guard
    // on the same address has to fail, not to take half of the calls.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// How many client connections may be open: each may need a second one, to the backend, and a
/// webhook must never fail because idle clients hold every file that may be open.
pub(super) fn max_connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    MAX_CONNECTIONS.min(share_of(open_files(&limits).unwrap_or(usize::MAX)))
}

fn share_of(files: usize) -> usize {
    (files.saturating_sub(OTHER_FILES) / 2).max(16)
}

/// The soft limit in Linux' table of a process's limits; `None` if unlimited or unknown.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Accepts connections, never more than its share, and rests when the system has no more to give.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: tokio::net::TcpListener,
    permits: Arc<Semaphore>,
    crowd: Arc<Notify>,
    pause: Duration,
}

impl Acceptor {
    /// Holds at most `connections` open; needs a runtime.
    pub(super) fn new(listener: TcpListener, connections: usize) -> io::Result<Self> {
        Ok(Self {
            listener: tokio::net::TcpListener::from_std(listener)?,
            permits: Arc::new(Semaphore::new(connections.max(1))),
            crowd: Arc::default(),
            pause: FIRST_PAUSE,
        })
    }

    /// Notified when every connection is taken: whoever is idle makes room then.
    pub(super) fn crowd(&self) -> Arc<Notify> {
        Arc::clone(&self.crowd)
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(permit);
        }
        loop {
            self.crowd.notify_waiters();
            let permit = Arc::clone(&self.permits).acquire_owned();
            if let Ok(permit) = timeout(ASK_AGAIN, permit).await {
                return permit.ok();
            }
        }
    }

    /// The next connection, with TCP_NODELAY, and the permit to be held while it is open.
    pub(super) async fn accept(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            let Some(permit) = self.permit().await else {
                // Nobody closes the semaphore.
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.pause = FIRST_PAUSE;
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, permit);
                }
                // The client left before it was accepted.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    if self.pause == FIRST_PAUSE {
                        tracing::warn!(
                            %error,
                            "no connection can be accepted; retrying (out of open files? raise the limit)"
                        );
                    }
                    drop(permit);
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
}
