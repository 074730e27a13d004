//! The bounded queue between the request path and whoever writes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::ending;
use super::event::{BodyShown, Told};
use super::fell_back::FellBack;
use super::journal::{self, Ends, Journal};
use super::noted::Noted;
use super::redact::Redaction;
use super::repeated::{Event, Repeated};
use super::store::MOST_STEPS;
use super::traffic::{Board, Counted};
use super::{Incident, Recording, hash_of};
use crate::guard::{Exchange, Outcome};
use crate::telemetry::batched::Batched;
use crate::telemetry::fields;
use crate::telemetry::log::Log;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::settings::{LogBody, LogConfig, LogFormat};
use crate::telemetry::visible::visible_bounded;
use crate::twilio::Slot;

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
    Steps(String, Vec<Noted>),
    FellBack(Box<FellBack>),
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
            repeated: Repeated::default(),
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
        if !self.send(Item::Incident(Box::new(incident)), size) {
            self.lost();
        }
    }

    /// Offers steps of the call or message with this SID to be kept, masked; only the last 100 are.
    pub fn steps(&self, sid: &str, mut steps: Vec<Noted>) {
        let most = usize::try_from(MOST_STEPS).unwrap_or_default();
        steps.drain(..steps.len().saturating_sub(most));
        if steps.is_empty() {
            return;
        }
        let size = weight_of_steps(&steps);
        if !self.send(Item::Steps(sid.to_owned(), steps), size) {
            self.metrics.not_stored(1);
        }
    }

    /// Says so where a request is Twilio's to a fallback URL, whatever becomes of its answer.
    pub fn fell_back(&self, exchange: &Exchange, redaction: &Redaction) {
        let Some(fell) = FellBack::of(exchange, redaction) else { return };
        let size = fell.weight();
        if !self.send(Item::FellBack(Box::new(fell)), size) {
            self.lost();
        }
    }

    /// Puts something into the queue, where there is room.
    fn send(&self, item: Item, size: usize) -> bool {
        self.metrics.recorder_queue(1);
        let held = self.bytes.fetch_add(size, Ordering::Relaxed);
        let is_taken = held + size <= QUEUE_BYTES && self.queue.try_send(item).is_ok();
        if !is_taken {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            self.metrics.recorder_queue(-1);
        }
        is_taken
    }

    fn lost(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.metrics.incident_dropped();
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
        loop {
            match self.items.try_recv() {
                Ok(Item::Incident(mut incident)) => {
                    self.bytes.fetch_sub(weight(&incident), Ordering::Relaxed);
                    incident.know();
                    return Some(*incident);
                }
                Ok(Item::Steps(_, steps)) => {
                    self.bytes.fetch_sub(weight_of_steps(&steps), Ordering::Relaxed);
                }
                Ok(Item::FellBack(fell)) => {
                    self.bytes.fetch_sub(fell.weight(), Ordering::Relaxed);
                }
                Ok(Item::Finish(_)) | Err(_) => return None,
            }
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

/// The same of steps.
fn weight_of_steps(steps: &[Noted]) -> usize {
    steps.iter().map(Noted::weight).sum()
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
    /// Events that alarm nobody, those of callbacks, and fallbacks of Twilio's.
    repeated: Repeated,
}

impl Writer {
    fn run(mut self, items: &Receiver<Item>) {
        let (mut said, mut ticked) = (Instant::now(), Instant::now());
        let mut items = Batched::new(items);
        loop {
            match items.next(journal::TICK) {
                Ok(Item::Incident(mut incident)) => {
                    self.taken(weight(&incident));
                    incident.know();
                    let told = incident.told();
                    self.journal.note(&told);
                    self.write(&told);
                }
                Ok(Item::Steps(call, steps)) => {
                    self.taken(weight_of_steps(&steps));
                    self.journal.steps(&call, &steps);
                }
                Ok(Item::FellBack(fell)) => {
                    self.taken(fell.weight());
                    self.write_fell_back(&fell);
                }
                Ok(Item::Finish(done)) => {
                    self.journal.tick();
                    self.repeated.say(&self.log, Duration::ZERO);
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
                self.repeated.say(&self.log, ONCE);
                self.say_dropped();
            }
        }
    }

    /// Something came off the queue.
    fn taken(&self, size: usize) {
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        self.metrics.recorder_queue(-1);
    }

    fn write(&mut self, incident: &Told<'_>) {
        let is_said_once = incident.level() == "INFO" || incident.exchange.slot == Slot::Callback;
        if is_said_once && self.is_repetition(incident) {
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

    /// Counts an event that is said once in a while: whether the like was, less than a minute ago.
    fn is_repetition(&mut self, incident: &Incident) -> bool {
        let key = (incident.route.name.clone(), incident.cause().to_owned());
        self.repeated.is_again(key, &self.log, || Event {
            level: incident.level(),
            message: "seen again since the last such event",
            fields: vec![
                (fields::ROUTE, visible_bounded(&incident.route.name, 200).into()),
                (fields::CAUSE, incident.cause().into()),
            ],
        })
    }

    /// Says that Twilio fell back, once a minute for each URL that failed with a code.
    fn write_fell_back(&mut self, fell: &FellBack) {
        let event = fell.event();
        if !self.repeated.is_again(fell.key(), &self.log, || fell.again()) {
            self.log.offer(event.line(&self.log));
        }
    }

    /// The same body on the same route is printed once a minute.
    fn shown(&mut self, incident: &Incident) -> BodyShown {
        if incident.judgement.decoded.is_empty() {
            return BodyShown::Itself;
        }
        let key = hash_of(&(&incident.route.name, &incident.judgement.decoded));
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
    fn a_failing_callback_is_said_once_and_counted() {
        let failed = || {
            let callback = Sample::default().slot(Slot::Callback).route("/status");
            callback.body(500, "text/html", "<h1>Oops</h1>").incident()
        };
        assert_eq!(failed().level(), "WARN");
        let events = events([failed(), failed(), failed()]);
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!(events[0]["slot"], "callback");
        let again = &events[1];
        assert_eq!((&again["level"], &again["count"]), (&"WARN".into(), &2.into()));
        assert_eq!(
            (&again["http.route"], &again["cause"]),
            (&"/status".into(), &events[0]["cause"])
        );
    }

    #[test]
    fn twilios_fallbacks_are_said_once_for_each_url_and_code() {
        let asked = |code: u32, page: &str| {
            let form = format!(
                "CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=in-progress&From=%2B15550104477&ErrorCode={code}&ErrorUrl=https%3A%2F%2Fpbx.example.com%2F{page}%3Fn%3D%252B15550104477"
            );
            let sample = Sample::default().target("/voice?n=%2B15550104477").form(&form);
            sample.body(200, "text/xml", "<Response/>").incident()
        };
        let kept = Kept::default();
        let log = Log::to(LogFormat::Json, false, kept.clone());
        let metrics = instruments().unwrap();
        let recording = Recording::passing(&metrics);
        let (recorder, handle) = Recorder::start(CONFIG, log, metrics, recording);
        let incidents =
            [asked(12_100, "end"), asked(12_100, "end"), asked(11_200, "end"), asked(12_100, "x")];
        for incident in incidents {
            recorder.fell_back(&incident.exchange, &Redaction::default());
        }
        let plain = Sample::default().body(200, "text/xml", "<Response/>").incident();
        recorder.fell_back(&plain.exchange, &Redaction::default());
        handle.finish(Instant::now() + Duration::from_secs(10));
        assert!(!kept.text().contains("5550104477"), "{}", kept.text());
        let events: Vec<Value> =
            kept.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 4, "{events:?}");
        assert_eq!(events[0]["level"], "WARN");
        let summary = events[0]["summary"].as_str().unwrap();
        assert!(
            summary.starts_with(
                "Twilio fell back to POST /voice because https://pbx.example.com/end?n="
            ),
            "{summary}"
        );
        assert!(summary.ends_with(" gave 12100; this URL is not the culprit"), "{summary}");
        assert_eq!(events[3]["count"], 1);
        assert_eq!(events[3]["failed.url"], "https://pbx.example.com/end");
        assert_eq!(events[3]["twilio.code"], "12100");
    }

    #[test]
    fn steps_take_room_in_the_queue_and_only_the_last_stay() {
        let (recorder, tap) = Recorder::tapped(instruments().unwrap());
        let incident = page("<h1>Oops</h1>").incident();
        recorder.steps("CA1", Vec::new());
        recorder.steps("CA1", vec![Noted::sample("replaced", "x"); 250]);
        let Ok(Item::Steps(sid, steps)) = tap.items.try_recv() else { panic!("no steps") };
        assert_eq!((sid.as_str(), steps.len()), ("CA1", 100));
        assert!(tap.items.try_recv().is_err());
        recorder.steps("CA1", steps);
        recorder.offer(incident);
        assert!(tap.next().is_some() && tap.next().is_none());
    }

    #[test]
    fn incidents_that_the_log_can_not_take_are_counted() {
        let metrics = instruments().unwrap();
        let (let_go, blocked) = channel();
        let log = Blocked::new(blocked, Kept::default()).log();
        let recording = Recording::passing(&metrics);
        let (recorder, handle) = Recorder::start(CONFIG, log.clone(), metrics.clone(), recording);
        // The log is full from here on.
        while log.offer("{}".to_owned()) {}
        for _ in 0..5 {
            recorder.offer(page("<h1>Oops</h1>").incident());
        }
        let start = Instant::now();
        handle.finish(start + Duration::from_millis(300));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(dropped(&metrics), 5);
        drop(let_go);
    }
}
