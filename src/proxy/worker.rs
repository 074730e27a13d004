//! One serving thread: a current-thread runtime, its connections and its way to the backends.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Busy};
use super::alias;
use super::attempts::Attempts;
use super::callback::{self, Background};
use super::closing::Closing;
use super::headers::PublicFace;
use super::hint::Hints;
use super::listener::{self, Acceptor};
use super::resigning::KnownForms;
use super::service;
use super::spelling::Enforced;
use super::suspects::Suspects;
use super::tally::{OpenCount, Tally};
use super::upstream::{Client, Resolver};
use super::witness::Witnessed;
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

/// Bytes that a connection buffers at most; a larger head is refused with 431.
const MAX_BUFFER: usize = 64 * 1024;

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
    /// Twilio's attempts that are answered now or were a moment ago.
    pub(super) attempts: Arc<Attempts>,
    /// Callbacks that go on after they were acknowledged.
    pub(super) background: Arc<Background>,
    /// Callbacks that wait on disk, where they are redelivered.
    pub(super) queue: Option<Queue>,
    /// Addresses of the backends' names.
    pub(super) resolver: Resolver,
    pub(super) closing: Closing,
    /// What is open in each worker.
    pub(super) all_open: Arc<Mutex<Vec<OpenCount>>>,
}

impl Shared {
    /// Nothing counted and nothing known yet.
    pub(super) fn new(config: Arc<Config>, recorder: Recorder, metrics: Metrics) -> Self {
        Self {
            config,
            recorder,
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
            resolver: Resolver::default(),
            closing: Closing::default(),
            all_open: Arc::default(),
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
    /// Paths on which what Twilio did not sign is refused.
    pub(super) enforced: Enforced,
    pub(super) attempts: Arc<Attempts>,
    pub(super) background: Arc<Background>,
    pub(super) queue: Option<Queue>,
    resolver: Resolver,
    closing: Closing,
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
            aliases,
            attempts,
            background,
            queue,
            resolver,
            closing,
            all_open,
        } = shared;
        let open = OpenCount::default();
        all_open.lock().unwrap_or_else(PoisonError::into_inner).push(open.clone());
        Self {
            client: Client::new(
                resolver.clone(),
                config.upstream_tls.clone(),
                config.connect_timeout,
            ),
            face: PublicFace::new(config.public_url.as_deref(), &config.signatures.trusted_proxies),
            redaction: Redaction::of(&config),
            tracker: TaskTracker::new(),
            open,
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
            attempts,
            background,
            queue,
            resolver,
            closing,
        }
    }

    /// The next generation, under another configuration: what was learnt and counted, and what is
    /// open, is the same.
    fn under(&self, config: Arc<Config>) -> Self {
        let resolver = self.resolver.clone();
        let (tls, limit) = (config.upstream_tls.clone(), config.connect_timeout);
        Self {
            client: self.client.anew(resolver.clone(), tls, limit),
            face: PublicFace::new(config.public_url.as_deref(), &config.signatures.trusted_proxies),
            redaction: Redaction::of(&config),
            enforced: Enforced::of(&config),
            config,
            resolver,
            closing: self.closing.clone(),
            tracker: self.tracker.clone(),
            open: self.open.clone(),
            recorder: self.recorder.clone(),
            metrics: self.metrics.clone(),
            tally: Arc::clone(&self.tally),
            calls: Arc::clone(&self.calls),
            hints: Arc::clone(&self.hints),
            aliases: Arc::clone(&self.aliases),
            suspects: Arc::clone(&self.suspects),
            forms: Arc::clone(&self.forms),
            attempts: Arc::clone(&self.attempts),
            background: Arc::clone(&self.background),
            queue: self.queue.clone(),
        }
    }
}

/// The generation in force; a request takes it once and keeps it to its end.
pub(super) type Current = Arc<ArcSwap<Worker>>;

/// Serves on this thread until the shutdown, then drains.
pub(super) fn run(
    runtime: Runtime,
    listener: TcpListener,
    shared: Shared,
    configs: watch::Receiver<Arc<Config>>,
    shutdown: &Shutdown,
) {
    let current = Arc::new(ArcSwap::from_pointee(Worker::new(shared)));
    runtime.block_on(async {
        let workers = current.load().config.workers.max(1);
        match Acceptor::new(listener, listener::max_connections() / workers) {
            Ok(acceptor) => serve(&current, acceptor, configs, shutdown).await,
            Err(error) => {
                tracing::error!(%error, "the listener can't be used; this worker serves nobody");
                return;
            }
        }
        let worker = current.load_full();
        worker.tracker.close();
        if timeout(worker.config.drain_timeout, worker.tracker.wait()).await.is_err() {
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

async fn serve(
    current: &Current,
    mut acceptor: Acceptor,
    mut configs: watch::Receiver<Arc<Config>>,
    shutdown: &Shutdown,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .preserve_header_case(true)
        .title_case_headers(true)
        // A client that shuts its writing side down after the request still wants the answer.
        .half_close(true);
    let crowd = acceptor.crowd();
    let mut stop = pin!(shutdown.raised());
    let mut redelivery = pin!(redeliver(current));
    let mut sweep = interval(SWEEP);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = &mut redelivery => {}
            Ok(()) = configs.changed() => {
                let config = Arc::clone(&configs.borrow_and_update());
                let next = current.load().under(config);
                current.store(Arc::new(next));
            }
            (stream, peer, permit) = acceptor.accept() => {
                let (current, builder) = (Arc::clone(current), builder.clone());
                let (shutdown, crowd) = (shutdown.clone(), Arc::clone(&crowd));
                let tracker = current.load().tracker.clone();
                tracker.spawn(async move {
                    connection(current, &builder, stream, peer, &shutdown, &crowd).await;
                    drop(permit);
                });
            }
            _ = sweep.tick() => {
                let worker = current.load();
                worker.client.sweep();
                worker.attempts.sweep(Instant::now());
            }
        }
    }
}

/// Asks the backends for callbacks that wait on disk, without end.
async fn redeliver(current: &Current) {
    let queue = current.load().queue.clone();
    match queue {
        Some(queue) => callback::deliver(current, &queue).await,
        None => std::future::pending().await,
    }
}

/// Serves one connection to its end: the client's, or that of its last request once the guard
/// drains or others have no room.
async fn connection(
    current: Current,
    builder: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    shutdown: &Shutdown,
    crowd: &Notify,
) {
    let activity = Arc::new(Activity::new());
    let (stream, witness) = Witnessed::new(stream.into());
    let service = service_fn(|request| {
        let (worker, activity) = (current.load_full(), Arc::clone(&activity));
        let witness = witness.clone();
        async move {
            let busy = Busy::new(activity);
            let closing = worker.closing.clone();
            let mut response = service::handle(worker, peer, request, &witness).await;
            if closing.is_on() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
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
