//! The admin API: incidents as JSON, and the switch of modes.
//!
//! It is served on the configured listener (`[admin] listen`) and, where there is a state directory,
//! on the control socket in it; the two differ only in who may ask.
//!
//! | path | answer |
//! | --- | --- |
//! | `GET /` | what this is |
//! | `GET /api/outbreaks` | open outbreaks; `all=1`: closed ones too |
//! | `GET /api/incidents` | incidents, newest first, page by page |
//! | `GET /api/incidents/ID` | one incident with its record; the beginning of an id will do |
//! | `GET /api/calls/SID` | what one call or message went through, and who is to blame |
//! | `GET /api/stats` | what became of all answers, by route |
//! | `GET /api/tail` | incidents as they are recorded: server-sent events |
//! | `GET /api/mode` | which routes are observed, which enforced |
//! | `PUT /api/mode` | switches routes until the guard restarts |

mod access;
mod door;
mod endpoints;
mod modes;
mod page;
mod query;
mod reply;
mod store;
mod tail;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use self::access::Access;
use self::door::Door;
use self::endpoints::Api;
use crate::config::{AdminListener, Config};
use crate::incidents::store::prepare_folder;
use crate::incidents::timeline::Live;
use crate::unix_socket::{SocketError, UnixSocket};

pub use modes::{Modes, RouteMode};

/// The control socket's name in the state directory.
pub const CONTROL: &str = "control.sock";
/// Reads that are under way when the guard stops have so long.
const LAST_READS: Duration = Duration::from_millis(500);

/// The bound listeners of the admin API.
#[derive(Debug)]
pub struct Admin {
    doors: Vec<Door>,
    api: Api,
    address: Option<SocketAddr>,
}

/// The running admin API.
#[derive(Debug)]
pub struct AdminHandle {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the configured listener can't be had.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address.
    #[error(
        "expected to listen for the admin API on {address}: {source}; choose another address in [admin] listen"
    )]
    Address {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket.
    #[error("[admin] listen: {0}")]
    Socket(#[from] SocketError),
}

impl Admin {
    /// Binds the configured listener and the control socket. `None` where there is neither; a control
    /// socket that can't be had is only a warning.
    /// `live`: what the guard remembers of calls.
    pub fn bind(config: &Config, modes: Modes, live: Live) -> Result<Option<Self>, AdminError> {
        let mut doors = Vec::new();
        let mut address = None;
        match &config.admin {
            AdminListener::Off => {}
            AdminListener::Address { address: wanted, token_file, hosts } => {
                let failed = |source| AdminError::Address { address: *wanted, source };
                let listener = TcpListener::bind(wanted).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                address = Some(listener.local_addr().map_err(failed)?);
                let access = Access::with_token(hosts.clone(), token_file.clone());
                doors.push(Door::tcp(listener, access));
            }
            AdminListener::Socket { path, hosts } => {
                let socket = UnixSocket::bind(path, 0o600)?;
                tracing::info!(listener = "admin", path = %socket.path().display(), "listening");
                doors.push(Door::unix(socket, Access::to_a_socket(hosts.clone())));
            }
        }
        doors.extend(config.state_dir.as_deref().and_then(control));
        let api = Api::new(config.state_dir.clone(), modes, live);
        Ok((!doors.is_empty()).then_some(Self { doors, api, address }))
    }

    /// The address that was bound, where one was configured.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Serves on a thread of its own until the handle is stopped or dropped.
    pub fn spawn(self) -> io::Result<AdminHandle> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = door::serve(self.doors, self.api) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_timeout(LAST_READS);
        })?;
        Ok(AdminHandle { stop: Some(stop), thread: Some(thread) })
    }
}

/// The control socket of a state directory.
fn control(state_dir: &Path) -> Option<Door> {
    let path = state_dir.join(CONTROL);
    let bound = prepare_folder(state_dir)
        .map_err(|error| error.to_string())
        .and_then(|()| UnixSocket::bind(&path, 0o600).map_err(|error| error.to_string()));
    match bound {
        Ok(socket) => Some(Door::unix(socket, Access::to_a_socket(Vec::new()))),
        Err(error) => {
            tracing::warn!(error, "no control socket: `twiml-guard mode` can't reach this guard");
            None
        }
    }
}

impl AdminHandle {
    /// Stops serving and waits for the thread.
    pub fn stop(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has stopped too.
            let _ = thread.join();
        }
    }
}
