//! The transport: sockets, bodies, headers; what is decided, is decided in [`crate::guard`].
//!
//! # Path of a request
//!
//! `listener` accepts, `worker` serves the connection, `service` decides between `guarded` (read
//! whole, judged, delivered), `stream` (WebSockets of Twilio's, watched) and `pass` (both ways as it is); all reach the
//! backend through `upstream`. Every worker is a thread with a current-thread runtime and its own
//! pool of connections.

mod activity;
mod again;
mod alias;
mod asked;
mod attempts;
mod authenticate;
mod body;
mod callback;
mod deliver;
mod exchange;
mod forward;
mod guarded;
mod headers;
mod hint;
mod inlet;
mod judging;
mod listener;
mod noting;
mod pass;
mod refuse;
mod resigning;
mod routing;
mod service;
mod socket;
mod spelling;
mod stream;
mod suspects;
mod tally;
mod upgrade;
mod upstream;
mod worker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use tokio::runtime::{self, Runtime};

use self::worker::Shared;
use crate::calls::Calls;
use crate::calls::queue::{FILE, Queue};
use crate::config::Config;
use crate::config::route::Callbacks;
use crate::incidents::recorder::Recorder;
use crate::incidents::timeline::Live;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

pub use self::again::Again;
pub use self::tally::Summary;

/// Time for the queue of callbacks to be closed.
const CLOSE: std::time::Duration = std::time::Duration::from_secs(2);

/// The proxy, bound to its address and not yet serving.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    workers: Vec<(Runtime, TcpListener)>,
    shared: Shared,
}

/// Why the proxy can't start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The public address can't be listened on.
    #[error("can't listen on {address}: {}", advice(.source))]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A serving thread can't be set up.
    #[error(
        "can't set up a worker: {0}; lower `workers`, or raise the limits of open files and threads"
    )]
    Worker(#[source] io::Error),
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use; stop who holds it, or choose another with --listen".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one of its own with --listen".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted; choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => error.to_string(),
    }
}

impl Proxy {
    /// Binds the public address; connections wait until [`Proxy::run`].
    pub fn bind(
        config: Arc<Config>,
        recorder: Recorder,
        metrics: Metrics,
    ) -> Result<Self, BindError> {
        let listen = |source| BindError::Listen { address: config.listen, source };
        let listener = listener::bind(config.listen).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let workers = (0..config.workers.max(1))
            .map(|_| {
                let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
                Ok((runtime, listener.try_clone()?))
            })
            .collect::<io::Result<_>>()
            .map_err(BindError::Worker)?;
        let mut shared = Shared::new(config, recorder, metrics);
        shared.queue = queue(&shared).map_err(BindError::Worker)?;
        Ok(Self { address, workers, shared })
    }

    /// What is known of calls and URLs.
    pub fn calls(&self) -> &Arc<Calls> {
        &self.shared.calls
    }

    /// The address that is listened on; the port is the real one where 0 was configured.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What it remembers of calls and messages.
    pub fn live(&self) -> Live {
        let calls = Arc::clone(&self.shared.calls);
        Live::new(move |sid| calls.timeline(sid))
    }

    /// Serves until the shutdown is raised and everything in flight is done, or the drain deadline
    /// is over. Blocks, and must not be called from within a runtime.
    #[allow(clippy::needless_pass_by_value)] // one clone fewer to think of for the caller
    pub fn run(self, shutdown: Shutdown) -> Summary {
        let Self { workers, shared, .. } = self;
        let tally = Arc::clone(&shared.tally);
        let queue = shared.queue.clone();
        thread::scope(|scope| {
            for (n, (runtime, listener)) in workers.into_iter().enumerate() {
                let (shared, shutdown) = (shared.clone(), shutdown.clone());
                let started = thread::Builder::new()
                    .name(format!("worker-{n}"))
                    .spawn_scoped(scope, move || worker::run(runtime, listener, shared, &shutdown));
                if let Err(error) = started {
                    tracing::error!(%error, "a worker could not be started; the others serve on");
                }
            }
        });
        if let Some(queue) = queue {
            queue.finish(CLOSE);
        }
        tally.summary()
    }
}

/// The queue of callbacks, where one is configured or an earlier run left one.
fn queue(shared: &Shared) -> io::Result<Option<Queue>> {
    let Some(folder) = &shared.config.state_dir else { return Ok(None) };
    let mut routes = shared.config.routes.iter().chain([&shared.config.default_route]);
    let is_wanted = routes.any(|route| route.callbacks == Callbacks::Redeliver);
    if !is_wanted && !folder.join(FILE).exists() {
        return Ok(None);
    }
    Queue::start(folder, shared.config.callbacks, shared.metrics.clone()).map(Some)
}
