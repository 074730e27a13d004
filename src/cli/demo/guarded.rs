//! The real guard in front of the demo's backend, and what it records.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::folder;
use crate::cli::exit::Exit;
use crate::config::error::ConfigErrors;
use crate::config::route::{PathPattern, Route};
use crate::config::{
    self, Config, Flags, Listen, LogBody, LogConfig, LogFormat, Sources, Upstream,
};
use crate::guard::Judgement;
use crate::incidents::recorder::{Recorder, RecorderHandle, Tap};
use crate::incidents::{Incident, Recording, instruments};
use crate::probe::Response;
use crate::proxy::{BindError, Proxy, Summary};
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::telemetry::log::Log;
use crate::telemetry::metrics::Metrics;
use crate::twilio::{Slot, SlotSetting};

/// The demo's budget: the walk is to take seconds.
pub(super) const BUDGET: Duration = Duration::from_secs(1);

/// The host that Twilio would know.
pub(super) const PUBLIC_HOST: &str = "pbx.example.com";

/// Where the guard listens if nobody wishes otherwise and nobody else is there.
const USUAL: &str = "127.0.0.1:8080";

/// How long a recorded incident may be on its way.
const RECORD_WAIT: Duration = Duration::from_millis(500);

/// How often the queue is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The running guard.
#[derive(Debug)]
pub(super) struct Guarded {
    /// Where it listens.
    pub address: SocketAddr,
    incidents: Tap,
    /// Where what the guard recorded is kept.
    pub folder: PathBuf,
    records: (Recorder, RecorderHandle),
    shutdown: Shutdown,
    thread: JoinHandle<Summary>,
}

/// Why the guard did not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// No address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The built-in configuration is wrong.
    #[error("the demo's own configuration is wrong, which is a bug of twiml-guard:\n{0}")]
    Config(#[from] ConfigErrors),
    /// No instruments.
    #[error("the demo's own metrics are wrong, which is a bug of twiml-guard: {0}")]
    Metrics(#[from] prometheus::Error),
    /// No thread or no signals.
    #[error("could not start the guard: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Bind(_) | Self::Metrics(_) | Self::System(_) => Exit::Io,
        }
    }
}

impl Guarded {
    /// Starts the guard before `backend`; one route leads to `nobody`. Incidents are recorded as
    /// `serve` would, in a folder of the demo's own; with `log` they are logged too.
    pub(super) fn start(
        listen: Option<SocketAddr>,
        backend: SocketAddr,
        nobody: SocketAddr,
        log: bool,
    ) -> Result<Self, StartError> {
        let metrics = instruments()?;
        let shutdown = Shutdown::on_signals()?;
        let folder = folder::prepare()?;
        let mut config = configuration(backend, nobody)?;
        config.state_dir = Some(folder.clone());
        config.log = LogConfig { format: None, body: LogBody::Preview };
        let lines = if log {
            telemetry::init(config.log)
        } else {
            Log::to(LogFormat::Json, false, io::sink())
        };
        let recording = Recording::start(&config, &metrics)?;
        let records = Recorder::start(config.log, lines, metrics.clone(), recording);
        let (recorder, incidents) = records.0.tap();
        let proxy = match listen {
            Some(address) => {
                config.listen = Listen::Tcp(address);
                Proxy::bind(Arc::new(config), recorder, metrics)?
            }
            None => bind_anywhere(config, &recorder, &metrics)?,
        };
        let address =
            proxy.local_addr().ok_or_else(|| io::Error::other("the demo has no address"))?;
        let stop = shutdown.clone();
        let thread =
            std::thread::Builder::new().name("guard".to_owned()).spawn(move || proxy.run(stop))?;
        Ok(Self { address, incidents, folder, records, shutdown, thread })
    }

    /// What the guard recorded of a response; `None` for one that it left alone.
    pub(super) async fn record_of(&mut self, response: &Response) -> Option<Arc<Judgement>> {
        let id = response.headers.get("twiml-guard-incident")?.to_str().ok()?;
        let wait = tokio::time::timeout(RECORD_WAIT, async {
            loop {
                match self.next() {
                    Some(incident) if incident.id.to_string() == id => return incident.judgement,
                    Some(_) => {}
                    None => tokio::time::sleep(LOOK).await,
                }
            }
        });
        wait.await.ok()
    }

    /// An incident that nobody has looked at yet.
    pub(super) fn next(&mut self) -> Option<Incident> {
        let incident = self.incidents.next()?;
        self.records.0.offer(incident.clone());
        Some(incident)
    }

    /// Waits for the next incident, or until the demo is to end.
    pub(super) async fn wait(&mut self) -> Option<Incident> {
        while !self.shutdown.is_raised() {
            if let Some(incident) = self.next() {
                return Some(incident);
            }
            // Between two people's requests, nobody sees a twentieth of a second.
            let look = tokio::time::sleep(10 * LOOK);
            tokio::select! {
                () = self.shutdown.raised() => {}
                () = look => {}
            }
        }
        None
    }

    /// Whether the demo was asked to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.shutdown.is_raised()
    }

    /// Ends the guard; what is in flight is finished.
    pub(super) async fn stop(self) {
        self.shutdown.raise();
        let Self { thread, records: (recorder, handle), .. } = self;
        // A worker that panicked has said so; there is nothing to add.
        let _ = tokio::task::spawn_blocking(move || {
            let _ = thread.join();
            drop(recorder);
            handle.finish(Instant::now() + RECORD_WAIT);
        })
        .await;
    }
}

fn bind_anywhere(
    mut config: Config,
    recorder: &Recorder,
    metrics: &Metrics,
) -> Result<Proxy, BindError> {
    let usual: Option<SocketAddr> = USUAL.parse().ok();
    if let Some(usual) = usual {
        config.listen = Listen::Tcp(usual);
    }
    let bind = |config: Config| Proxy::bind(Arc::new(config), recorder.clone(), metrics.clone());
    match bind(config.clone()) {
        Err(BindError::Listen { .. }) => {
            let any = config.listen.address().map(|usual| SocketAddr::new(usual.ip(), 0));
            config.listen = any.map_or(config.listen, Listen::Tcp);
            bind(config)
        }
        done => done,
    }
}

/// What `serve` would load from flags alone, with the demo's budget and its routes.
fn configuration(backend: SocketAddr, nobody: SocketAddr) -> Result<Config, ConfigErrors> {
    let flags = Flags {
        upstream: Some(format!("http://{backend}")),
        public_url: Some(format!("https://{PUBLIC_HOST}")),
        ops: Some("off".to_owned()),
        ..Flags::default()
    };
    // No file of the working directory is the demo's, nor is the environment.
    let nowhere = PathBuf::from("/nonexistent");
    // Its calls take less than a second.
    let env = [("TWIML_GUARD_STREAMS_DONE_AFTER".to_owned(), "200ms".to_owned())];
    let sources = Sources { flags, env: BTreeMap::from(env), cwd: nowhere };
    let mut config = config::load(&sources)?.config;
    config.budget = BUDGET;
    config.workers = 1;
    config.drain_timeout = BUDGET;
    let default = Arc::clone(&config.default_route);
    let route = |name: &str, pattern, slot, upstream: &Upstream| {
        let mut route = Route::clone(&default);
        name.clone_into(&mut route.name);
        route.pattern = pattern;
        route.slot = SlotSetting::Fixed(slot);
        route.upstream = upstream.clone();
        Arc::new(route)
    };
    let dead = Upstream::tcp(&nobody.ip().to_string(), nobody.port());
    let refused = "/voice/refused";
    config.routes = vec![route(refused, PathPattern::Exact(refused.into()), Slot::Voice, &dead)];
    for slot in Slot::ALL.into_iter().filter(|slot| *slot != Slot::Stream) {
        let prefix = format!("/{slot}/");
        let pattern = PathPattern::Prefix(prefix.clone());
        config.routes.push(route(&format!("{prefix}*"), pattern, slot, &default.upstream));
    }
    Ok(config)
}
