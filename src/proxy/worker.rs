//! What a serving thread knows: what all share, and what is its own.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio_util::task::TaskTracker;

use super::alarms::Alarms;
use super::alias;
use super::attempts::Attempts;
use super::callback::Background;
use super::closing::Closing;
use super::headers::PublicFace;
use super::health::Healths;
use super::hint::Hints;
use super::inlet::refused::Refusals;
use super::judging::Beside;
use super::resigning::KnownForms;
use super::room::Room;
use super::spelling::Enforced;
use super::stream::Streams;
use super::suspects::Suspects;
use super::tally::{OpenCount, Tally};
use super::upstream::{Client, Resolver};
use crate::calls::Calls;
use crate::calls::queue::Queue;
use crate::config::Config;
use crate::guard::Seen;
use crate::incidents::recorder::Recorder;
use crate::incidents::redact::Redaction;
use crate::telemetry::metrics::Metrics;

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
    /// Streams of Twilio's that run.
    pub(super) streams: Arc<Streams>,
    /// What may be held in memory.
    pub(super) room: Arc<Room>,
    /// What is known of the backends.
    pub(super) healths: Arc<Healths>,
    /// Where long work is done.
    pub(super) beside: Arc<Beside>,
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
        let healths = Arc::new(Healths::new(&config, metrics.upstreams().clone()));
        Self {
            streams: Arc::default(),
            beside: Arc::default(),
            room: Room::new(config.max_buffered, metrics.clone()),
            config,
            recorder,
            refusals: Refusals::new(metrics.clone()),
            metrics,
            healths,
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
    pub(super) refusals: Refusals,
    /// Paths on which what Twilio did not sign is refused.
    pub(super) enforced: Enforced,
    pub(super) attempts: Arc<Attempts>,
    pub(super) streams: Arc<Streams>,
    pub(super) room: Arc<Room>,
    pub(super) healths: Arc<Healths>,
    pub(super) beside: Arc<Beside>,
    pub(super) background: Arc<Background>,
    pub(super) queue: Option<Queue>,
    resolver: Resolver,
    pub(super) closing: Closing,
    pub(super) client: Client,
    pub(super) alarms: Alarms,
    /// Answers that were fit a moment ago; no other worker waits for it.
    pub(super) seen: Mutex<Seen>,
    pub(super) face: PublicFace,
    /// What is masked in records, and in the steps that are noted.
    pub(super) redaction: Arc<Redaction>,
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
            streams,
            room,
            healths,
            beside,
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
            alarms: Alarms::default(),
            seen: Mutex::default(),
            face: PublicFace::new(config.public_url.as_deref(), &config.signatures.trusted_proxies),
            redaction: Arc::new(Redaction::of(&config)),
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
            refusals,
            attempts,
            streams,
            room,
            healths,
            beside,
            background,
            queue,
            resolver,
            closing,
        }
    }

    /// The next generation, under another configuration: what was learnt and counted, and what is
    /// open, is the same.
    pub(super) fn under(&self, config: Arc<Config>) -> Self {
        let resolver = self.resolver.clone();
        let (tls, limit) = (config.upstream_tls.clone(), config.connect_timeout);
        Self {
            client: self.client.anew(resolver.clone(), tls, limit),
            alarms: self.alarms.clone(),
            seen: Mutex::default(),
            face: PublicFace::new(config.public_url.as_deref(), &config.signatures.trusted_proxies),
            redaction: Arc::new(Redaction::of(&config)),
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
            refusals: self.refusals.clone(),
            attempts: Arc::clone(&self.attempts),
            streams: Arc::clone(&self.streams),
            room: Arc::clone(&self.room),
            healths: Arc::clone(&self.healths),
            beside: Arc::clone(&self.beside),
            background: Arc::clone(&self.background),
            queue: self.queue.clone(),
        }
    }
}

/// The generation in force; a request takes it once and keeps it to its end.
pub(super) type Current = Arc<ArcSwap<Worker>>;
