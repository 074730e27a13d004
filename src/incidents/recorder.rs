//! The bounded queue between the request path and whoever writes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Incident;
use super::event::BodyShown;
use crate::guard::Outcome;
use crate::telemetry::fields;
use crate::telemetry::log::{Log, human_level, json_line, now};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::{LogBody, LogConfig, LogFormat};

/// Incidents that wait to be written.
const QUEUE: usize = 1_024;
/// Bytes of bodies that they may hold.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// The same is said once in this time.
const ONCE: Duration = Duration::from_mins(1);
/// Bodies and repetitions that are remembered.
const REMEMBERED: usize = 1_024;

/// Takes incidents without ever waiting.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: SyncSender<Item>,
    bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    metrics: Metrics,
}

enum Item {
    Incident(Box<Incident>),
    Finish(SyncSender<()>),
}

/// Ends the writer.
#[derive(Debug)]
pub struct RecorderHandle {
    queue: SyncSender<Item>,
    thread: Option<JoinHandle<()>>,
    log: Log,
}

impl Recorder {
    /// Starts the writer, which turns each incident into its log event.
    pub fn start(config: LogConfig, log: Log, metrics: Metrics) -> (Self, RecorderHandle) {
        let (queue, items) = sync_channel(QUEUE);
        let bytes = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            log: log.clone(),
            body: config.body,
            bytes: Arc::clone(&bytes),
            dropped: Arc::clone(&dropped),
            bodies: HashMap::new(),
            repetitions: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run(&items))
            .ok();
        let recorder = Self { queue: queue.clone(), bytes, dropped, metrics };
        (recorder, RecorderHandle { queue, thread, log })
    }

    /// A recorder without a writer: whatever is offered counts as dropped.
    pub fn without_writer(metrics: Metrics) -> Self {
        let (queue, _) = sync_channel(0);
        Self { queue, bytes: Arc::default(), dropped: Arc::default(), metrics }
    }

    /// A recorder whose incidents are taken by hand.
    pub fn tapped(metrics: Metrics) -> (Self, Tap) {
        let (queue, items) = sync_channel(QUEUE);
        let bytes = Arc::new(AtomicUsize::new(0));
        let tap = Tap { items, bytes: Arc::clone(&bytes) };
        (Self { queue, bytes, dropped: Arc::default(), metrics }, tap)
    }

    /// Offers an incident; when the queue is full it is dropped, counted and said.
    pub fn offer(&self, incident: Incident) {
        let size = weight(&incident);
        let held = self.bytes.fetch_add(size, Ordering::Relaxed);
        if held + size > QUEUE_BYTES
            || self.queue.try_send(Item::Incident(Box::new(incident))).is_err()
        {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.metrics.incident_dropped();
        }
    }
}

/// Takes incidents by hand instead of writing them.
#[derive(Debug)]
pub struct Tap {
    items: Receiver<Item>,
    bytes: Arc<AtomicUsize>,
}

impl Tap {
    /// The oldest incident that waits, if one does.
    pub fn next(&self) -> Option<Incident> {
        match self.items.try_recv() {
            Ok(Item::Incident(incident)) => {
                self.bytes.fetch_sub(weight(&incident), Ordering::Relaxed);
                Some(*incident)
            }
            Ok(Item::Finish(_)) | Err(_) => None,
        }
    }
}

impl RecorderHandle {
    /// Writes what waits, at most until `deadline`.
    pub fn finish(self, deadline: Instant) {
        let (done, finished) = sync_channel(1);
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut item = Item::Finish(done);
        while let Err(error) = self.queue.try_send(item) {
            let std::sync::mpsc::TrySendError::Full(back) = error else { return };
            if left().is_zero() {
                return;
            }
            item = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        if finished.recv_timeout(left()).is_ok()
            && let Some(thread) = self.thread
        {
            // The writer said that it is done: it ends at once.
            let _ = thread.join();
        }
        self.log.flush(left());
    }
}

/// Bytes that an incident holds while it waits.
fn weight(incident: &Incident) -> usize {
    let answer = match &incident.exchange.outcome {
        Outcome::Answered(answer) => answer.body.len(),
        Outcome::Failed(_) => 0,
    };
    answer + incident.judgement.decoded.len() + incident.exchange.request.body.len() + 1_024
}

struct Writer {
    log: Log,
    body: LogBody,
    bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    /// By route and body: when it was last printed, and with which incident.
    bodies: HashMap<u64, (Instant, Uuid)>,
    /// By route and cause, for events that alarm nobody: when one was last printed, and how many
    /// were held back since.
    repetitions: HashMap<u64, (Instant, u64)>,
}

impl Writer {
    fn run(mut self, items: &Receiver<Item>) {
        let mut said = Instant::now();
        loop {
            match items.recv_timeout(Duration::from_secs(1)) {
                Ok(Item::Incident(incident)) => {
                    self.bytes.fetch_sub(weight(&incident), Ordering::Relaxed);
                    self.write(&incident);
                }
                Ok(Item::Finish(done)) => {
                    self.say_dropped();
                    let _ = done.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if said.elapsed() >= ONCE {
                said = Instant::now();
                self.say_dropped();
            }
        }
    }

    fn write(&mut self, incident: &Incident) {
        let mut held = 0;
        if incident.level() == "INFO" {
            let key = key(&(&incident.route.name, incident.cause()));
            if let Some((last, count)) = self.repetitions.get_mut(&key) {
                if last.elapsed() < ONCE {
                    *count += 1;
                    return;
                }
                held = *count;
            }
            make_room(&mut self.repetitions, |(last, _)| *last);
            self.repetitions.insert(key, (Instant::now(), 0));
        }
        let shown = self.shown(incident);
        let mut line = match self.log.format() {
            LogFormat::Human => incident.human(self.body, shown, self.log.colours()),
            LogFormat::Json => incident.json(self.body, shown),
        };
        if held > 0 {
            line.push('\n');
            line.push_str(&self.repeated(incident, held));
        }
        self.log.offer(line);
    }

    /// How often the same was seen since it was last said.
    fn repeated(&self, incident: &Incident, count: u64) -> String {
        const MESSAGE: &str = "seen again since the last such event";
        let own = [
            (fields::ROUTE, incident.route.name.clone().into()),
            (fields::CAUSE, incident.cause().into()),
            (fields::COUNT, count.into()),
        ];
        match self.log.format() {
            LogFormat::Json => json_line("INFO", MESSAGE, "twiml_guard::incidents", &own),
            LogFormat::Human => format!(
                "{} {} {MESSAGE}  {}={}  {}={}  {}={count}",
                now(),
                human_level("INFO", self.log.colours()),
                fields::ROUTE,
                incident.route.name,
                fields::CAUSE,
                incident.cause(),
                fields::COUNT
            ),
        }
    }

    /// The same body on the same route is printed once a minute.
    fn shown(&mut self, incident: &Incident) -> BodyShown {
        if incident.judgement.decoded.is_empty() {
            return BodyShown::Itself;
        }
        let key = key(&(&incident.route.name, &incident.judgement.decoded));
        match self.bodies.get(&key) {
            Some((last, id)) if last.elapsed() < ONCE => BodyShown::AsIn(*id),
            _ => {
                make_room(&mut self.bodies, |(last, _)| *last);
                self.bodies.insert(key, (Instant::now(), incident.id));
                BodyShown::Itself
            }
        }
    }

    fn say_dropped(&self) {
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(count = lost, "incidents were dropped: the log is too slow for them");
        }
    }
}

fn key(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Forgets what is older than it matters, and all of it where that is not enough.
fn make_room<V>(map: &mut HashMap<u64, V>, last: impl Fn(&V) -> Instant) {
    if map.len() >= REMEMBERED {
        map.retain(|_, value| last(value).elapsed() < ONCE);
        if map.len() >= REMEMBERED {
            map.clear();
        }
    }
}
