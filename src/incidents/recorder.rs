//! The bounded queue between the request path and whoever writes.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::ending;
use super::event::{BodyShown, TARGET};
use super::journal::{self, Ends, Journal};
use super::traffic::{Board, Counted};
use super::{Incident, Recording};
use crate::guard::Outcome;
use crate::telemetry::fields;
use crate::telemetry::log::{Log, human_level, json_line, now};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::{LogBody, LogConfig, LogFormat};
use crate::telemetry::visible::visible_bounded;

/// Incidents that wait to be written.
const QUEUE: usize = 16_384;
/// Bytes of bodies that they may hold.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// The same is said once in this time.
const ONCE: Duration = Duration::from_mins(1);
/// How often it is looked for what is to be said.
const TICK: Duration = Duration::from_secs(5);
/// Bodies and repetitions that are remembered.
const REMEMBERED: usize = 1_024;

/// Takes incidents without ever waiting.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: SyncSender<Item>,
    bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    board: Arc<Board>,
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
    ends: Ends,
    log: Log,
}

impl Recorder {
    /// Starts the writer, which turns each incident into its log event and its record.
    pub fn start(
        config: LogConfig,
        log: Log,
        metrics: Metrics,
        recording: Recording,
    ) -> (Self, RecorderHandle) {
        let (journal, board, ends) = recording.split();
        let (queue, items) = sync_channel(QUEUE);
        let bytes = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            journal,
            log: log.clone(),
            body: config.body,
            bytes: Arc::clone(&bytes),
            dropped: Arc::clone(&dropped),
            metrics: metrics.clone(),
            told: None,
            bodies: HashMap::new(),
            repetitions: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer.run(&items))
            .ok();
        let recorder = Self { queue: queue.clone(), bytes, dropped, board, metrics };
        (recorder, RecorderHandle { queue, thread, ends, log })
    }

    /// A recorder without a writer: whatever is offered counts as dropped.
    pub fn without_writer(metrics: Metrics) -> Self {
        let (queue, _) = sync_channel(0);
        let board = Arc::default();
        Self { queue, bytes: Arc::default(), dropped: Arc::default(), board, metrics }
    }

    /// A recorder whose incidents are taken by hand.
    pub fn tapped(metrics: Metrics) -> (Self, Tap) {
        let (queue, items) = sync_channel(QUEUE);
        let bytes = Arc::new(AtomicUsize::new(0));
        let tap = Tap { items, bytes: Arc::clone(&bytes) };
        let board = Arc::default();
        (Self { queue, bytes, dropped: Arc::default(), board, metrics }, tap)
    }

    /// A recorder before this one: incidents are taken by hand, answers are counted here.
    pub fn tap(&self) -> (Self, Tap) {
        let (recorder, tap) = Self::tapped(self.metrics.clone());
        (Self { board: Arc::clone(&self.board), ..recorder }, tap)
    }

    /// Counts what became of one answer on a route.
    pub fn count(&self, route: &str, counted: Counted, upstream: Duration) {
        self.board.note(route, counted, upstream);
    }

    /// Offers an incident; when the queue is full it is dropped, counted and said.
    pub fn offer(&self, incident: Incident) {
        let size = weight(&incident);
        self.metrics.recorder_queue(1);
        let held = self.bytes.fetch_add(size, Ordering::Relaxed);
        if held + size > QUEUE_BYTES
            || self.queue.try_send(Item::Incident(Box::new(incident))).is_err()
        {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.metrics.recorder_queue(-1);
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
            Ok(Item::Incident(mut incident)) => {
                self.bytes.fetch_sub(weight(&incident), Ordering::Relaxed);
                incident.know();
                Some(*incident)
            }
            Ok(Item::Finish(_)) | Err(_) => None,
        }
    }
}

impl RecorderHandle {
    /// Writes what waits, at most until `deadline`.
    pub fn finish(self, deadline: Instant) {
        ending::finish(&self.queue, self.thread, deadline, Item::Finish);
        self.ends.finish(deadline);
        self.log.flush(deadline.saturating_duration_since(Instant::now()));
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
    journal: Journal,
    log: Log,
    body: LogBody,
    bytes: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    metrics: Metrics,
    /// When it was last said that incidents were dropped.
    told: Option<Instant>,
    /// By route and body: when it was last printed, and with which incident.
    bodies: HashMap<u64, (Instant, Uuid)>,
    /// By route and cause, for events that alarm nobody.
    repetitions: HashMap<(String, &'static str), Repetition>,
}

/// Events of a route and a cause that are printed once in a while.
struct Repetition {
    /// When one was last printed.
    last: Instant,
    /// How many were held back since.
    held: u64,
}

impl Writer {
    fn run(mut self, items: &Receiver<Item>) {
        let (mut said, mut ticked) = (Instant::now(), Instant::now());
        loop {
            match items.recv_timeout(journal::TICK) {
                Ok(Item::Incident(mut incident)) => {
                    self.bytes.fetch_sub(weight(&incident), Ordering::Relaxed);
                    self.metrics.recorder_queue(-1);
                    incident.know();
                    self.journal.note(&incident);
                    self.write(&incident);
                }
                Ok(Item::Finish(done)) => {
                    self.journal.tick();
                    self.say_repetitions(Duration::ZERO);
                    self.told = None;
                    self.say_dropped();
                    let _ = done.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if ticked.elapsed() >= journal::TICK {
                ticked = Instant::now();
                self.journal.tick();
            }
            if said.elapsed() >= TICK {
                said = Instant::now();
                self.say_repetitions(ONCE);
                self.say_dropped();
            }
        }
    }

    fn write(&mut self, incident: &Incident) {
        if incident.level() == "INFO" && self.is_repetition(incident) {
            return;
        }
        let shown = self.shown(incident);
        let line = match self.log.format() {
            LogFormat::Human => incident.human(self.body, shown, self.log.colours()),
            LogFormat::Json => incident.json(self.body, shown),
        };
        if !self.log.offer(line) {
            // The log tells of lost lines; this one was an incident, which no later one may name.
            self.metrics.incident_dropped();
            self.bodies.clear();
        }
    }

    /// Counts an event that alarms nobody: whether the like was printed less than a minute ago.
    fn is_repetition(&mut self, incident: &Incident) -> bool {
        let key = (incident.route.name.clone(), incident.cause());
        if let Some(repetition) = self.repetitions.get_mut(&key) {
            repetition.held += 1;
            return true;
        }
        if self.repetitions.len() >= REMEMBERED {
            self.say_repetitions(Duration::ZERO);
        }
        self.repetitions.insert(key, Repetition { last: Instant::now(), held: 0 });
        false
    }

    /// Says how often the same was seen since it was last said, and forgets what went quiet.
    fn say_repetitions(&mut self, age: Duration) {
        const MESSAGE: &str = "seen again since the last such event";
        let log = &self.log;
        self.repetitions.retain(|(route, cause), repetition| {
            if repetition.last.elapsed() < age {
                return true;
            }
            if repetition.held == 0 {
                return false;
            }
            let route = visible_bounded(route, 200);
            let count = repetition.held;
            log.offer(match log.format() {
                LogFormat::Json => {
                    let own = [
                        (fields::ROUTE, route.into()),
                        (fields::CAUSE, (*cause).into()),
                        (fields::COUNT, count.into()),
                    ];
                    json_line("INFO", MESSAGE, TARGET, &own)
                }
                LogFormat::Human => format!(
                    "{} {} {MESSAGE}  {}={route}  {}={cause}  {}={count}",
                    now(),
                    human_level("INFO", log.colours()),
                    fields::ROUTE,
                    fields::CAUSE,
                    fields::COUNT
                ),
            });
            *repetition = Repetition { last: Instant::now(), held: 0 };
            true
        });
        if age.is_zero() {
            self.repetitions.clear();
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
                if self.bodies.len() >= REMEMBERED {
                    self.bodies.retain(|_, (last, _)| last.elapsed() < ONCE);
                }
                if self.bodies.len() >= REMEMBERED {
                    self.bodies.clear();
                }
                self.bodies.insert(key, (Instant::now(), incident.id));
                BodyShown::Itself
            }
        }
    }

    fn say_dropped(&mut self) {
        if self.told.is_some_and(|told| told.elapsed() < ONCE) {
            return;
        }
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.told = Some(Instant::now());
            tracing::warn!(count = lost, "incidents were dropped: more came than could be written");
        }
    }
}

fn key(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use serde_json::Value;

    use super::*;
    use crate::incidents::instruments;
    use crate::incidents::sample::Sample;
    use crate::telemetry::kept::{Blocked, Kept};

    const CONFIG: LogConfig = LogConfig { format: None, body: LogBody::Full };

    fn page(body: &str) -> Sample {
        Sample::default().body(500, "text/html", body)
    }

    fn dropped(metrics: &Metrics) -> u64 {
        let text = metrics.render();
        let line = text.lines().find(|l| l.starts_with("twiml_guard_incidents_dropped_total "));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// The events of these incidents, in order.
    fn events(incidents: impl IntoIterator<Item = Incident>) -> Vec<Value> {
        let kept = Kept::default();
        let log = Log::to(LogFormat::Json, false, kept.clone());
        let (recorder, handle) = {
            let metrics = instruments().unwrap();
            let recording = Recording::passing(&metrics);
            Recorder::start(CONFIG, log, metrics, recording)
        };
        for incident in incidents {
            recorder.offer(incident);
        }
        handle.finish(Instant::now() + Duration::from_secs(10));
        kept.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_never_waits() {
        let metrics = instruments().unwrap();
        let (recorder, tap) = Recorder::tapped(metrics.clone());
        let incident = page("<h1>Oops</h1>").incident();
        let start = Instant::now();
        for _ in 0..QUEUE + 5 {
            recorder.offer(incident.clone());
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(dropped(&metrics), 5);
        assert!(tap.next().is_some());
        recorder.offer(incident);
        assert_eq!(dropped(&metrics), 5);
    }

    #[test]
    fn bodies_in_the_queue_are_bounded_and_make_room_again() {
        let metrics = instruments().unwrap();
        let (recorder, tap) = Recorder::tapped(metrics.clone());
        let large = page(&"<p>x</p>".repeat(512 * 1024)).policy(|p| p.max_decoded_body = 1 << 23);
        let incident = large.incident();
        let fits = QUEUE_BYTES / weight(&incident);
        for _ in 0..fits + 3 {
            recorder.offer(incident.clone());
        }
        assert_eq!(dropped(&metrics), 3);
        while tap.next().is_some() {}
        recorder.offer(incident);
        assert_eq!(dropped(&metrics), 3);
    }

    #[test]
    fn the_same_body_on_the_same_route_is_printed_once() {
        let first = page("<h1>Oops</h1>").incident();
        let id = first.id;
        let again = page("<h1>Oops</h1>").incident();
        let elsewhere = page("<h1>Oops</h1>").route("/other").incident();
        let different = page("<h1>Other</h1>").incident();
        let bodies: Vec<_> = events([first, again, elsewhere, different])
            .iter()
            .map(|event| event["backend.body"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            bodies,
            ["<h1>Oops</h1>", &format!("same as incident {id}"), "<h1>Oops</h1>", "<h1>Other</h1>"]
        );
    }

    #[test]
    fn what_alarms_nobody_is_printed_once_and_counted() {
        let retyped = || Sample::default().body(200, "text/html", "<Response/>");
        let other = retyped().route("/other").incident();
        let all = (0..5).map(|_| retyped().incident()).chain([other, page("<h1>").incident()]);
        let events = events(all);
        let shown: Vec<_> = events
            .iter()
            .map(|event| {
                let text = |name: &str| event[name].as_str().unwrap().to_owned();
                (text("level"), text("message"), text("http.route"), event["count"].as_u64())
            })
            .collect();
        let line = |level: &str, message: &str, route: &str, count| {
            (level.to_owned(), message.to_owned(), route.to_owned(), count)
        };
        assert_eq!(
            shown,
            [
                line("INFO", "repaired", "/voice", None),
                line("INFO", "repaired", "/other", None),
                line("WARN", "replaced", "/voice", None),
                line("INFO", "seen again since the last such event", "/voice", Some(4)),
            ]
        );
        assert_eq!(events[3]["cause"], events[0]["cause"]);
    }

    #[test]
    fn incidents_that_the_log_can_not_take_are_counted() {
        let metrics = instruments().unwrap();
        let (let_go, blocked) = channel();
        let kept = Kept::default();
        let log = Log::to(LogFormat::Json, false, Blocked(blocked, kept.clone()));
        let recording = Recording::passing(&metrics);
        let (recorder, handle) = Recorder::start(CONFIG, log.clone(), metrics.clone(), recording);
        // The log is full from here on, but for a line that its writer may yet take in hand.
        while log.offer("{}".to_owned()) {}
        for _ in 0..5 {
            recorder.offer(page("<h1>Oops</h1>").incident());
        }
        let start = Instant::now();
        handle.finish(start + Duration::from_millis(300));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert!((4..=5).contains(&dropped(&metrics)), "{}", dropped(&metrics));
        drop(let_go);
    }
}
