//! One serving thread: a current-thread runtime, its connections and its way to the backends.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{interval, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Busy};
use super::alias;
use super::attempts::Attempts;
use super::callback::{self, Background};
use super::headers::PublicFace;
use super::hint::Hints;
use super::inlet::gate::Gate;
use super::inlet::head::Limits;
use super::inlet::refused::Refusals;
use super::listener::{self, Acceptor};
use super::resigning::KnownForms;
use super::service;
use super::spelling::Enforced;
use super::suspects::Suspects;
use super::tally::{OpenCount, Tally};
use super::upstream::Client;
use crate::calls::Calls;
use crate::calls::queue::Queue;
use crate::config::Config;
use crate::incidents::recorder::Recorder;
use crate::incidents::redact::Redaction;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

/// Time for a request's head, and for the next one on a kept connection. Above the 60 s that
/// common front ends keep theirs idle, so that they close first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(65);

/// Bytes that a connection buffers at most beside a head.
const BUFFER: usize = 64 * 1024;

/// Headers for which the HTTP library has room without being told.
const LIBRARY_HEADERS: usize = 100;

/// How often idle connections to the backends are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a connection without a request (half a head, a slow reader) may stay when the guard
/// drains or others have no room.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// How long a connection must have been without a request to make room for others: never one that
/// has just been opened, whose request is on its way.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) config: Arc<Config>,
    pub(super) recorder: Recorder,
    pub(super) metrics: Metrics,
    pub(super) tally: Arc<Tally>,
    pub(super) calls: Arc<Calls>,
    pub(super) hints: Arc<Hints>,
    pub(super) aliases: Arc<alias::Told>,
    pub(super) suspects: Arc<Suspects>,
    pub(super) forms: Arc<KnownForms>,
    pub(super) refusals: Refusals,
    /// Twilio's attempts that are answered now or were a moment ago.
    pub(super) attempts: Arc<Attempts>,
    /// Callbacks that go on after they were acknowledged.
    pub(super) background: Arc<Background>,
    /// Callbacks that wait on disk, where they are redelivered.
    pub(super) queue: Option<Queue>,
}

impl Shared {
    /// Nothing counted and nothing known yet.
    pub(super) fn new(config: Arc<Config>, recorder: Recorder, metrics: Metrics) -> Self {
        Self {
            config,
            recorder,
            refusals: Refusals::new(metrics.clone()),
            metrics,
            tally: Arc::default(),
            calls: Arc::default(),
            hints: Arc::default(),
            aliases: Arc::default(),
            suspects: Arc::default(),
            forms: Arc::default(),
            attempts: Arc::default(),
            background: Arc::default(),
            queue: None,
        }
    }
}

/// One worker's state; its requests see it.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) config: Arc<Config>,
    pub(super) recorder: Recorder,
    pub(super) metrics: Metrics,
    pub(super) tally: Arc<Tally>,
    /// Exchanges and tunnels that are not over yet.
    pub(super) open: OpenCount,
    pub(super) calls: Arc<Calls>,
    pub(super) hints: Arc<Hints>,
    pub(super) aliases: Arc<alias::Told>,
    pub(super) suspects: Arc<Suspects>,
    pub(super) forms: Arc<KnownForms>,
    pub(super) refusals: Refusals,
    /// Paths on which what Twilio did not sign is refused.
    pub(super) enforced: Enforced,
    pub(super) attempts: Arc<Attempts>,
    pub(super) background: Arc<Background>,
    pub(super) queue: Option<Queue>,
    pub(super) client: Client,
    pub(super) face: PublicFace,
    /// What is masked in records.
    pub(super) redaction: Redaction,
    /// Connections and tunnels of this worker.
    pub(super) tracker: TaskTracker,
}

impl Worker {
    pub(super) fn new(shared: Shared) -> Self {
        let Shared {
            config,
            recorder,
            metrics,
            tally,
            calls,
            hints,
            suspects,
            forms,
            refusals,
            aliases,
            attempts,
            background,
            queue,
        } = shared;
        Self {
            client: Client::new(config.connect_timeout),
            face: PublicFace::new(config.public_url.as_deref(), &config.signatures.trusted_proxies),
            redaction: Redaction::of(&config),
            tracker: TaskTracker::new(),
            open: OpenCount::default(),
            enforced: Enforced::of(&config),
            config,
            recorder,
            metrics,
            tally,
            calls,
            hints,
            aliases,
            suspects,
            forms,
            refusals,
            attempts,
            background,
            queue,
        }
    }
}

/// Serves on this thread until the shutdown, then drains.
pub(super) fn run(runtime: Runtime, listener: TcpListener, shared: Shared, shutdown: &Shutdown) {
    let drain_timeout = shared.config.drain_timeout;
    let worker = Arc::new(Worker::new(shared));
    runtime.block_on(async {
        let workers = worker.config.workers.max(1);
        match Acceptor::new(listener, listener::max_connections() / workers) {
            Ok(acceptor) => serve(&worker, acceptor, shutdown).await,
            Err(error) => {
                tracing::error!(%error, "the listener can't be used; this worker serves nobody");
                return;
            }
        }
        worker.tracker.close();
        if timeout(drain_timeout, worker.tracker.wait()).await.is_err() {
            worker.tally.lost(worker.open.now());
            tracing::warn!(
                connections = worker.tracker.len(),
                "the drain deadline is over; what is still open is cut"
            );
        }
    });
    // A name lookup that hangs must not hold up the exit.
    runtime.shutdown_background();
}

async fn serve(worker: &Arc<Worker>, mut acceptor: Acceptor, shutdown: &Shutdown) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(worker.config.max_head + BUFFER)
        .preserve_header_case(true)
        .title_case_headers(true)
        // A client that shuts its writing side down after the request still wants the answer.
        .half_close(true);
    if worker.config.max_headers > LIBRARY_HEADERS {
        builder.max_headers(worker.config.max_headers);
    }
    let crowd = acceptor.crowd();
    let mut stop = pin!(shutdown.raised());
    let mut redelivery = pin!(redeliver(worker));
    let mut sweep = interval(SWEEP);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = &mut redelivery => {}
            (stream, peer, permit) = acceptor.accept() => {
                let (worker, builder) = (Arc::clone(worker), builder.clone());
                let (shutdown, crowd) = (shutdown.clone(), Arc::clone(&crowd));
                let tracker = worker.tracker.clone();
                tracker.spawn(async move {
                    connection(worker, &builder, stream, peer, &shutdown, &crowd).await;
                    drop(permit);
                });
            }
            _ = sweep.tick() => {
                worker.client.sweep();
                worker.attempts.sweep(Instant::now());
            }
        }
    }
}

/// Asks the backends for callbacks that wait on disk, without end.
async fn redeliver(worker: &Arc<Worker>) {
    match &worker.queue {
        Some(queue) => callback::deliver(worker, queue).await,
        None => std::future::pending().await,
    }
}

/// Serves one connection to its end: the client's, or that of its last request once the guard
/// drains or others have no room.
async fn connection(
    worker: Arc<Worker>,
    builder: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    shutdown: &Shutdown,
    crowd: &Notify,
) {
    let activity = Arc::new(Activity::new());
    let limits = Limits { bytes: worker.config.max_head, lines: worker.config.max_headers };
    let (stream, witness) = Gate::new(stream.into(), limits, worker.refusals.clone());
    let service = service_fn(|request| {
        let (worker, activity) = (Arc::clone(&worker), Arc::clone(&activity));
        let witness = witness.clone();
        async move {
            let busy = Busy::new(activity);
            let response = service::handle(worker, peer, request, &witness).await;
            Ok::<_, Infallible>(response.map(|body| body.keeping(busy)))
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let mut ended = None;
    {
        let mut stop = pin!(shutdown.raised());
        while ended.is_none() {
            tokio::select! {
                biased;
                end = connection.as_mut() => ended = Some(end),
                () = &mut stop => break,
                () = crowd.notified() => if activity.is_idle_for(IDLE_IN_A_CROWD) { break },
            }
        }
    }
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
    }
    while ended.is_none() {
        tokio::select! {
            biased;
            end = connection.as_mut() => ended = Some(end),
            () = sleep(IDLE_GRACE) => if activity.is_idle_for(IDLE_GRACE) { return },
        }
    }
    if let Some(Err(error)) = ended {
        let error = super::upstream::chain(&error);
        tracing::debug!(client = %peer, error, "a client's connection failed");
    }
}
