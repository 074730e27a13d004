//! One serving thread: a current-thread runtime, its connections and its way to the backends.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::activity::{Busy, TICK};
use super::balance;
use super::beats::Beat;
use super::callback;
use super::caught::{caught, caught_now};
use super::deadlines::Deadlines;
use super::headers::Peer;
use super::inlet::gate::Gate;
use super::inlet::head::Limits;
use super::listener::{self, Acceptor, Listener, Outage};
use super::paced::Paced;
use super::service;
use super::socket::{Bare, Socket};
use super::tls_in::TlsIn;
use super::worker::{Current, Shared, Worker};
use crate::config::Config;
use crate::shutdown::Shutdown;

/// Bytes that a connection buffers at most beside a head.
const BUFFER: usize = 64 * 1024;

/// Headers for which the HTTP library has room without being told.
const LIBRARY_HEADERS: usize = 100;

/// How often idle connections to the backends are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// Where clients come in.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: Listener,
    /// What they are shown, where they speak TLS.
    pub(super) tls: Option<TlsIn>,
    pub(super) outage: Arc<Outage>,
    pub(super) beat: Beat,
}

/// What a worker's connections have in common.
struct Serving {
    current: Current,
    deadlines: Arc<Deadlines>,
    tls: Option<TlsIn>,
    shutdown: Shutdown,
}

/// Serves on this thread until the shutdown, then drains.
pub(super) fn run(
    runtime: Runtime,
    door: Door,
    shared: Shared,
    configs: watch::Receiver<Arc<Config>>,
    shutdown: &Shutdown,
) {
    let current = Arc::new(ArcSwap::from_pointee(Worker::new(shared)));
    let worker = current.load_full();
    let Door { listener, tls, outage, beat } = door;
    runtime.block_on(async {
        let clients = &worker.config.clients;
        let connections =
            listener::max_connections(clients.max_connections) / worker.config.workers.max(1);
        let deadlines = Arc::new(Deadlines::new(clients, worker.metrics.clone()));
        let tick = tokio::spawn(ticking(Arc::clone(&deadlines), beat.clone()));
        match Acceptor::new(listener, connections, Arc::clone(&deadlines), outage) {
            Ok(acceptor) => {
                let (current, shutdown) = (Arc::clone(&current), shutdown.clone());
                let serving = Serving { current, deadlines: Arc::clone(&deadlines), tls, shutdown };
                serve(&Arc::new(serving), acceptor, configs).await;
            }
            Err(error) => {
                tracing::error!(%error, "the listener can't be used; this worker serves nobody");
                return;
            }
        }
        let worker = current.load_full();
        deadlines.drain();
        worker.tracker.close();
        if timeout(worker.config.drain_timeout, worker.tracker.wait()).await.is_err() {
            worker.tally.lost(worker.open.now());
            tracing::warn!(
                connections = worker.tracker.len(),
                "the drain deadline is over; what is still open is cut"
            );
            worker.streams.go_away().await;
        }
        tick.abort();
        beat.end();
    });
    // A name lookup that hangs must not hold up the exit.
    runtime.shutdown_background();
}

/// Looks through the connections at every tick, without end.
async fn ticking(deadlines: Arc<Deadlines>, beat: Beat) {
    let mut ticks = interval(TICK);
    // While this worker was held up nobody's time ran.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        deadlines.tick();
        beat.beat();
    }
}

fn builder(config: &Config) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_buf_size(config.max_head + BUFFER)
        .preserve_header_case(true)
        .title_case_headers(true)
        // A client that shuts its writing side down after the request still wants the answer.
        .half_close(true);
    if config.max_headers > LIBRARY_HEADERS {
        builder.max_headers(config.max_headers);
    }
    builder
}

async fn serve(
    serving: &Arc<Serving>,
    mut acceptor: Acceptor,
    mut configs: watch::Receiver<Arc<Config>>,
) {
    let current = &serving.current;
    let mut stop = pin!(serving.shutdown.raised());
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
                let worker = current.load_full();
                let (serving, metrics) = (Arc::clone(serving), worker.metrics.clone());
                worker.tracker.spawn(async move {
                    let served = connection(serving, stream, peer, permit);
                    let _ = caught(&metrics, "serving a connection", served).await;
                });
            }
            _ = sweep.tick() => {
                let worker = current.load_full();
                let _ = caught_now(&worker.metrics, "tidying up", || {
                    worker.client.sweep();
                    balance::try_left_out(&worker);
                    worker.attempts.sweep(Instant::now());
                });
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
/// drains. What takes too long is ended by the deadlines, through the socket.
async fn connection(serving: Arc<Serving>, stream: Bare, peer: Peer, permit: OwnedSemaphorePermit) {
    let Serving { current, deadlines, tls, shutdown } = &*serving;
    let activity = deadlines.watch(tls.is_some());
    let stream = match tls {
        // Boxed: a handshake is large, and connections without TLS should not be.
        Some(tls) => match Box::pin(tls.accept(stream, &activity, deadlines)).await {
            Some(stream) => stream,
            None => return,
        },
        None => Socket::Bare(stream),
    };
    let peer = Peer { is_tls: tls.is_some(), ..peer };
    let stream = Paced::new(stream, Arc::clone(&activity), permit);
    // A connection keeps the limits under which it came.
    let ((stream, witness), builder) = {
        let worker = current.load();
        let limits = Limits { bytes: worker.config.max_head, lines: worker.config.max_headers };
        (Gate::new(stream, limits, worker.refusals.clone()), builder(&worker.config))
    };
    let service = service_fn(|request| {
        let (worker, activity) = (current.load_full(), Arc::clone(&activity));
        let witness = witness.clone();
        // Boxed: a connection keeps room for a whole request all the time, even while it has none.
        Box::pin(async move {
            let busy = Busy::new(activity);
            let closing = worker.closing.clone();
            let mut response = service::handle(worker, peer, request, &witness).await;
            if closing.is_on() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| body.keeping(busy)))
        })
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        end = connection.as_mut() => end,
        () = shutdown.raised() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    // What is left of it, if anything is, is a tunnel.
    activity.became_tunnel();
    if let Err(error) = ended {
        let error = super::upstream::chain(&error);
        tracing::debug!(client = ?peer.ip, error, "a client's connection failed");
    }
}
