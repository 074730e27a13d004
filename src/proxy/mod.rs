//! The transport: sockets, bodies, headers; what is decided, is decided in [`crate::guard`].
//!
//! # Path of a request
//!
//! `listener` accepts, `inlet` reads requests and writes answers, `service` decides between `guarded` (read
//! whole, judged, delivered), `stream` (WebSockets of Twilio's, watched) and `pass` (both ways as it is); all reach the
//! backend through `upstream`. HTTP/1 is our own on both sides; `http1` has what they share. Every worker is a thread with a current-thread runtime and its own
//! pool of connections. What is held in memory takes its share of `room`; panics are `caught` at the
//! edge of their request.

mod activity;
mod again;
mod alarms;
mod alias;
mod asked;
mod attempts;
mod authenticate;
mod balance;
mod beats;
mod body;
mod callback;
mod caught;
mod closing;
mod collect;
mod deadlines;
mod deliver;
mod exchange;
mod forward;
mod guarded;
mod headers;
mod health;
mod hint;
mod http1;
#[cfg(not(fuzzing))]
mod inlet;
#[cfg(fuzzing)]
pub mod inlet;
mod judging;
mod listener;
mod noting;
mod paced;
mod pass;
mod pulse;
mod refuse;
mod resigning;
mod room;
mod routing;
mod seats;
mod service;
mod serving;
mod socket;
mod spare;
mod spelling;
mod stream;
mod suspects;
mod tally;
mod tls_in;
mod turn;
mod upgrade;
mod upstream;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{self, Runtime};
use tokio::sync::watch;

use self::listener::{Bound, Failed, Outage};
use self::seats::Seats;
use self::serving::Door;
use self::worker::Shared;
use crate::calls::Calls;
use crate::calls::queue::{FILE, Queue};
use crate::config::route::Callbacks;
use crate::config::{Config, Listen};
use crate::incidents::recorder::Recorder;
use crate::incidents::timeline::Live;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;
use crate::unix_socket::{SocketError, SocketFile};

pub use self::again::Again;
pub use self::beats::Beats;
pub use self::closing::Closing;
pub use self::tally::Summary;
pub use self::tls_in::{TlsIn, TlsInError};

/// Time for the queue of callbacks to be closed.
const CLOSE: std::time::Duration = std::time::Duration::from_secs(2);

/// The proxy, bound to its address and not yet serving.
#[derive(Debug)]
pub struct Proxy {
    at: Listen,
    file: Option<SocketFile>,
    tls: Option<TlsIn>,
    workers: Vec<(Runtime, Door)>,
    beats: Beats,
    shared: Shared,
    configs: watch::Sender<Arc<Config>>,
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
    /// The Unix socket can't be listened on.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// There is nothing to speak TLS with.
    #[error(transparent)]
    Tls(#[from] TlsInError),
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

impl From<Failed> for BindError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Address(address, source) => Self::Listen { address, source },
            Failed::Socket(error) => Self::Socket(error),
        }
    }
}

impl Proxy {
    /// Binds the public address; connections wait until [`Proxy::run`].
    pub fn bind(
        config: Arc<Config>,
        recorder: Recorder,
        metrics: Metrics,
    ) -> Result<Self, BindError> {
        let tls = config.tls.as_ref().map(TlsIn::new).transpose()?;
        let Bound { listener, at, file } = listener::bind(&config.listen)?;
        let outage = Arc::<Outage>::default();
        let beats = Beats::of(config.workers.max(1));
        let workers = beats
            .each()
            .zip(Seats::of(config.workers.max(1)))
            .map(|(beat, seats)| {
                let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
                let listener = listener.try_clone()?;
                let (tls, outage, beat) = (tls.clone(), Arc::clone(&outage), beat.clone());
                Ok((runtime, Door { listener, tls, outage, beat, seats }))
            })
            .collect::<io::Result<_>>()
            .map_err(BindError::Worker)?;
        let configs = watch::Sender::new(Arc::clone(&config));
        let mut shared = Shared::new(config, recorder, metrics);
        shared.queue = queue(&shared).map_err(BindError::Worker)?;
        Ok(Self { at, file, tls, workers, beats, shared, configs })
    }

    /// What is known of calls and URLs.
    pub fn calls(&self) -> &Arc<Calls> {
        &self.shared.calls
    }

    /// Where another configuration is put in force: running requests and streams keep theirs, the
    /// next request finds the new one. What [`Config::taken_over`] keeps must be the running one's.
    pub fn configs(&self) -> watch::Sender<Arc<Config>> {
        self.configs.clone()
    }

    /// Tells how many exchanges and streams are not over yet.
    pub fn in_flight(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let all = Arc::clone(&self.shared.all_open);
        move || {
            let all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            all.iter().map(tally::OpenCount::now).sum()
        }
    }

    /// Whether its workers get round to their work.
    pub fn beats(&self) -> Beats {
        self.beats.clone()
    }

    /// The switch that makes clients close their connections.
    pub fn closing(&self) -> Closing {
        self.shared.closing.clone()
    }

    /// The address that is listened on; the port is the real one where 0 was configured.
    ///
    /// `None` where it is a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.at.address()
    }

    /// What is listened on.
    pub fn listens_on(&self) -> &Listen {
        &self.at
    }

    /// TLS of the public listener, where it speaks it.
    pub fn tls(&self) -> Option<&TlsIn> {
        self.tls.as_ref()
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
        let Self { workers, shared, file, configs, .. } = self;
        let tally = Arc::clone(&shared.tally);
        let queue = shared.queue.clone();
        thread::scope(|scope| {
            for (n, (runtime, door)) in workers.into_iter().enumerate() {
                let (shared, shutdown) = (shared.clone(), shutdown.clone());
                let mut configs = configs.subscribe();
                // It may have been changed between `bind` and now.
                configs.mark_changed();
                let started = thread::Builder::new().name(format!("worker-{n}")).spawn_scoped(
                    scope,
                    move || {
                        serving::run(runtime, door, shared, configs, &shutdown);
                    },
                );
                if let Err(error) = started {
                    tracing::error!(%error, "a worker could not be started; the others serve on");
                }
            }
        });
        drop(file);
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
