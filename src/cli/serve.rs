//! `serve`: the order in which the guard starts, and in which it ends.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::args::ServeArgs;
use super::check;
use super::config_command;
use super::exit::Exit;
use super::manager::{self, Manager};
use super::output::complain;
use super::reload::{self, Reloader};
use crate::admin::{Admin, AdminError, Drain, Modes, Ops, OpsError, Ready};
use crate::calls::Keeper;
use crate::config::route::Mode;
use crate::config::{Config, Loaded, Sources};
use crate::incidents::recorder::Recorder;
use crate::incidents::{Recording, instruments};
use crate::proxy::{BindError, Proxy, Summary};
use crate::shutdown::Shutdown;
use crate::telemetry;

/// Time for the last records to be written: a storm of faults is answered faster than it is put on
/// record, and whatever stops a guard gives it longer (systemd 90 s, Kubernetes 30 s).
const FLUSH: Duration = Duration::from_secs(5);

/// Runs the guard until a signal ends it.
pub(super) fn run(args: &ServeArgs) -> Exit {
    let loaded = match config_command::load(args) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let started = config_command::sources(args)
        .map_err(ServeError::from)
        .and_then(|sources| serve(&loaded, sources, args.self_check));
    match started {
        Ok(()) => Exit::Fine,
        Err(error) => {
            complain(&format!("twiml-guard: {error}\n"));
            Exit::Io
        }
    }
}

/// Why the guard did not start.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    /// The admin listener.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The public listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Instruments that contradict each other.
    #[error("the metrics are wrong, which is a bug of twiml-guard: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The ops listener.
    #[error(transparent)]
    Ops(#[from] OpsError),
    /// A thread or signal handlers.
    #[error("could not start: {0}")]
    System(#[from] io::Error),
}

/// Tells what a configuration makes unsafe, unless `before` did so already.
pub(super) fn warn_of(config: &Config, before: Option<&Config>) {
    let told = before.map_or(&[][..], |before| &before.signatures.warnings);
    for warning in config.signatures.warnings.iter().filter(|it| !told.contains(it)) {
        tracing::warn!(reason = warning, "an auth token is not kept safe");
    }
    let is_insecure =
        |config: &Config| config.upstream_tls.as_ref().is_some_and(|tls| tls.is_insecure);
    if is_insecure(config) && !before.is_some_and(is_insecure) {
        tracing::warn!(
            reason = "upstream_tls.insecure_skip_verify is set: any certificate of a backend is taken, and whoever sits between can read and answer calls; name the backend's certificate in upstream_tls.ca_file instead",
            "TLS to backends is not verified"
        );
    }
}

fn serve(loaded: &Loaded, sources: Sources, self_check: bool) -> Result<(), ServeError> {
    let config = &loaded.config;
    let log = telemetry::init(config.log);
    for warning in &config.otlp.warnings {
        tracing::warn!(reason = warning, "a variable of OpenTelemetry can't be followed");
    }
    warn_of(config, None);
    let metrics = instruments()?;
    metrics.reloads().loaded();
    let (wish, wishes) = reload::wishes();
    let shutdown = Shutdown::of_service(move || {
        // Whoever reads wishes lives as long as the guard serves.
        let _ = wish.send(());
    })?;
    let recording = Recording::start(config, &metrics)?;
    let (recorder, records) = Recorder::start(config.log, log.clone(), metrics.clone(), recording);
    let config = Arc::new(loaded.config.clone());
    let ready = Ready::default();
    let proxy = Proxy::bind(Arc::clone(&config), recorder, metrics.clone())?;
    let keeper = Keeper::start(proxy.calls(), config.state_dir.as_deref());
    let ops = Ops::bind(config.ops, metrics.clone(), ready.clone())?;
    let modes = Modes::new(&config, metrics.clone());
    let admin = Admin::bind(&config, modes.clone(), proxy.live())?;
    let closing = proxy.closing();
    let drain = Drain::new(ready.clone(), move |on| closing.set(on), proxy.in_flight());
    let observe = is_observing(&config);
    tracing::info!(
        listener = "public",
        server.address = %proxy.listens_on(),
        tls = proxy.tls().is_some(),
        backend.address = config.default_route.upstream().authority(),
        routes = config.routes.len(),
        observe,
        "listening"
    );
    let ops = match ops {
        Some(ops) => {
            tracing::info!(listener = "ops", server.address = %ops.local_addr(), "listening");
            Some(ops.draining(drain.clone(), config.ops_drain).spawn()?)
        }
        None => None,
    };
    let admin = match admin {
        Some(admin) => {
            if let Some(address) = admin.local_addr() {
                tracing::info!(listener = "admin", server.address = %address, "listening");
            }
            Some(admin.draining(drain).spawn()?)
        }
        None => None,
    };
    let manager = Manager::default();
    ready.set_ready();
    manager.ready();
    manager::watch(proxy.beats())?;
    let (configs, tls) = (proxy.configs(), proxy.tls().cloned());
    Reloader::new(sources, loaded, modes, configs, tls, metrics, manager.clone()).spawn(wishes)?;
    if self_check {
        check::at_start(&config)?;
    }
    let closed = Shutdown::new();
    drain_on(&shutdown, &closed, ready, manager, &proxy)?;
    let summary = proxy.run(closed);
    keeper.finish();
    if let Some(admin) = admin {
        admin.stop();
    }
    if let Some(ops) = ops {
        ops.stop();
    }
    records.finish(Instant::now() + FLUSH);
    say(&summary, observe || summary.would_have > 0);
    log.flush(FLUSH);
    Ok(())
}

/// Readiness ends with the wish to stop; the listener only after the grace, in which each client is
/// told to close.
fn drain_on(
    shutdown: &Shutdown,
    closed: &Shutdown,
    ready: Ready,
    manager: Manager,
    proxy: &Proxy,
) -> io::Result<()> {
    let (shutdown, closed) = (shutdown.clone(), closed.clone());
    let (configs, closing) = (proxy.configs(), proxy.closing());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("readiness".to_owned()).spawn(move || {
        runtime.block_on(shutdown.raised());
        ready.set_draining();
        closing.set(true);
        manager.stopping();
        std::thread::sleep(configs.borrow().drain_grace);
        closed.raise();
    })?;
    Ok(())
}

fn is_observing(config: &Config) -> bool {
    let routes = config.routes.iter().chain([&config.default_route]);
    routes.into_iter().any(|route| route.policy.configured_mode() == Mode::Observe)
}

fn say(summary: &Summary, observe: bool) {
    tracing::info!(
        answers = summary.answers,
        untouched = summary.untouched,
        repaired = summary.repaired,
        replaced = summary.replaced,
        passed = summary.passed,
        would_have_saved = observe.then_some(summary.would_have),
        lost_at_deadline = (summary.lost_at_deadline > 0).then_some(summary.lost_at_deadline),
        "stopped"
    );
}
