//! One serving thread: a current-thread runtime, its connections and its way to the backends.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::Response;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::activity::{Activity, Busy, TICK};
use super::balance;
use super::beats::Beat;
use super::body::ResponseBody;
use super::callback;
use super::caught::{caught, caught_now};
use super::deadlines::Deadlines;
use super::headers::Peer;
use super::inlet;
use super::inlet::connection::{Asked, Service};
use super::inlet::date::Date;
use super::inlet::fault::Fault;
use super::inlet::head::Limits;
use super::listener::{self, Acceptor, Listener, Outage, Permit};
use super::paced::Paced;
use super::refuse::Refusal;
use super::seats::Seats;
use super::service;
use super::socket::{Bare, Socket};
use super::tls_in::TlsIn;
use super::worker::{Current, Shared, Worker};
use crate::config::Config;
use crate::shutdown::Shutdown;

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
    pub(super) seats: Seats,
}

/// What a worker's connections have in common.
struct Serving {
    current: Current,
    deadlines: Arc<Deadlines>,
    tls: Option<TlsIn>,
    shutdown: Shutdown,
    date: Date,
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
    let Door { listener, tls, outage, beat, mut seats } = door;
    runtime.block_on(async {
        let clients = &worker.config.clients;
        let connections =
            listener::max_connections(clients.max_connections) / worker.config.workers.max(1);
        let deadlines = Arc::new(Deadlines::new(clients, worker.metrics.clone()));
        let tick = tokio::spawn(ticking(Arc::clone(&deadlines), beat.clone()));
        match Acceptor::new(listener, connections, Arc::clone(&deadlines), outage) {
            Ok(acceptor) => {
                let (current, shutdown) = (Arc::clone(&current), shutdown.clone());
                let (deadlines, date) = (Arc::clone(&deadlines), Date::default());
                let serving = Serving { current, deadlines, tls, shutdown, date };
                let serving = Arc::new(serving);
                serve(&serving, acceptor, &mut seats, configs).await;
                seats.last().for_each(|sent| begin(&serving, sent));
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

/// Begins to serve a connection; the error: there is none after all.
fn begin(serving: &Arc<Serving>, taken: io::Result<(Bare, Peer, Permit)>) {
    let (stream, peer, permit) = match taken {
        Ok(taken) => taken,
        Err(error) => {
            tracing::warn!(%error, "a connection could not be handed to another worker");
            return;
        }
    };
    let worker = serving.current.load_full();
    let (serving, metrics) = (Arc::clone(serving), worker.metrics.clone());
    worker.tracker.spawn(async move {
        let served = connection(serving, stream, peer, permit);
        let _ = caught(&metrics, "serving a connection", served).await;
    });
}

async fn serve(
    serving: &Arc<Serving>,
    mut acceptor: Acceptor,
    seats: &mut Seats,
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
                if let Some(taken) = seats.seat(stream, peer, permit).transpose() {
                    begin(serving, taken);
                }
            }
            sent = seats.next() => begin(serving, sent),
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
async fn connection(serving: Arc<Serving>, stream: Bare, peer: Peer, permit: Permit) {
    let Serving { current, deadlines, tls, shutdown, date } = &*serving;
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
    let service = Client { serving: &serving, peer, activity: Arc::clone(&activity) };
    // A connection keeps the limits under which it came.
    let (limits, refusals) = {
        let worker = current.load();
        let limits = Limits { bytes: worker.config.max_head, lines: worker.config.max_headers };
        (limits, worker.refusals.clone())
    };
    let ended =
        inlet::connection::serve(stream, limits, refusals, date, &service, shutdown.raised());
    let ended = ended.await;
    // What is left of it, if anything is, is a tunnel.
    activity.became_tunnel();
    if let Err(error) = ended {
        tracing::debug!(client = ?peer.ip, %error, "a client's connection failed");
    }
}

/// A client, whose requests are answered.
struct Client<'s> {
    serving: &'s Serving,
    peer: Peer,
    activity: Arc<Activity>,
}

impl Service for Client<'_> {
    type Body = ResponseBody;

    fn answer(&self, asked: Asked) -> impl Future<Output = Response<ResponseBody>> + Send {
        service::handle(self.serving.current.load_full(), self.peer, asked)
    }

    fn refuse(&self, fault: Fault) -> Response<ResponseBody> {
        Refusal::from(fault).into_response()
    }

    fn busy(&self) -> impl Send {
        Busy::new(Arc::clone(&self.activity))
    }

    fn is_closing(&self) -> bool {
        self.serving.current.load().closing.is_on()
    }
}
