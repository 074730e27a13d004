//! What becomes of an incident besides its log event: its outbreak, its record, its place in the
//! store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::event::Told;
use super::identity::Identity;
use super::noted::Noted;
use super::notify::{Webhooks, WebhooksHandle};
use super::otlp::{self, OtlpHandle};
use super::outbreak::{Change, Outbreak, Outbreaks, Seen};
use super::record::{Record, Row};
use super::store::{Item, Keep, NewIncident, Store, StoreHandle, prepare_folder};
use super::timeline::kept_sid;
use super::traffic::Board;
use super::view::{is_fault, rfc3339};
use super::{Incident, hash_of};
use crate::clock;
use crate::config::{Capture, Config};
use crate::guard::Outcome;
use crate::telemetry::metrics::{LEVELS, Metrics};
use crate::telemetry::settings::LogBody;
use crate::telemetry::visible::visible;

/// How often traffic is taken and outbreaks are looked at.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// Where incidents go and how much of them is kept.
#[derive(Debug)]
pub struct Recording {
    pub(super) journal: Journal,
    pub(super) board: Arc<Board>,
    ends: Ends,
}

/// Ends the threads of all that a journal hands things to.
#[derive(Debug, Default)]
pub(super) struct Ends {
    store: Option<StoreHandle>,
    webhooks: WebhooksHandle,
    otlp: OtlpHandle,
}

impl Ends {
    /// Lets them do what waits, at most until `deadline`.
    pub(super) fn finish(self, deadline: Instant) {
        // All are asked before one is waited for: a webhook that hangs takes no collector's time.
        let asked: Vec<_> = self.webhooks.ask(deadline).chain(self.otlp.ask(deadline)).collect();
        if let Some(store) = self.store {
            store.finish(deadline);
        }
        for ending in asked {
            ending.wait(deadline);
        }
    }
}

impl Recording {
    /// Opens the store in the state directory and goes on with its outbreaks. What can't be used
    /// is said in the log; the guard serves in any case.
    pub fn start(config: &Config, metrics: &Metrics) -> std::io::Result<Self> {
        let routes = config.routes.iter().chain([&config.default_route]);
        let board = Arc::new(Board::new(routes.map(|route| route.name.as_str())));
        let mut outbreaks = Outbreaks::new(config.incidents.quiet_after);
        let (identity, store, handle) = match &config.state_dir {
            None => {
                tracing::warn!("no state directory: incidents are only logged; set state_dir");
                (Identity::passing(), None, None)
            }
            Some(folder) => {
                let keep = Keep {
                    age: config.incidents.keep_for,
                    bytes: config.incidents.max_size as u64,
                };
                let (store, handle, known) = Store::start(folder, keep, metrics.clone())?;
                let now_ms = clock::now_ms();
                for doubled in outbreaks.restore(known, config.incidents.quiet_after, now_ms) {
                    store.offer(Item::Outbreak(Box::new(doubled)));
                }
                (identity(folder), Some(store), Some(handle))
            }
        };
        let (webhooks, webhooks_handle) = Webhooks::start(&config.notify, metrics)?;
        let (otlp, otlp_handle) = otlp::start(&config.otlp, metrics)?;
        let ends = Ends { store: handle, webhooks: webhooks_handle, otlp: otlp_handle };
        let journal = Journal {
            webhooks,
            otlp,
            body: config.log.body,
            capture: config.incidents.capture,
            identity,
            hashed: Default::default(),
            state_dir: config.state_dir.clone(),
            has_key: false,
            outbreaks,
            store,
            board: Arc::clone(&board),
            metrics: metrics.clone(),
            started: Instant::now(),
            before: config.incidents.quiet_after,
        };
        journal.count_open();
        Ok(Self { journal, board, ends })
    }

    /// Nothing is kept; outbreaks are followed while the process runs.
    pub fn passing(metrics: &Metrics) -> Self {
        let board = Arc::<Board>::default();
        let journal = Journal {
            webhooks: Webhooks::default(),
            otlp: None,
            body: LogBody::None,
            capture: Capture::Masked,
            identity: Identity::passing(),
            hashed: Default::default(),
            state_dir: None,
            has_key: false,
            outbreaks: Outbreaks::new(Duration::from_mins(10)),
            store: None,
            board: Arc::clone(&board),
            metrics: metrics.clone(),
            started: Instant::now(),
            before: Duration::ZERO,
        };
        Self { journal, board, ends: Ends::default() }
    }

    pub(super) fn split(self) -> (Journal, Arc<Board>, Ends) {
        (self.journal, self.board, self.ends)
    }
}

/// The key of this state directory; where there is none, callers are counted but not found again.
fn identity(folder: &Path) -> Identity {
    let opened = prepare_folder(folder)
        .map_err(|error| error.to_string())
        .and_then(|()| Identity::open_or_make(folder).map_err(|error| error.to_string()));
    opened.unwrap_or_else(|error| {
        tracing::error!(error, "incidents can't be found by number for now");
        Identity::passing()
    })
}

/// Follows outbreaks and hands what it makes to the store, to webhooks and to a collector.
#[derive(Debug)]
pub(super) struct Journal {
    webhooks: Webhooks,
    otlp: Option<otlp::Logs>,
    /// How much of a body leaves the box.
    body: LogBody,
    capture: Capture,
    identity: Identity,
    /// The latest number of each side, and its hash.
    hashed: [(String, u64); 2],
    /// Where its key is kept.
    state_dir: Option<PathBuf>,
    /// Whether it was seen there.
    has_key: bool,
    outbreaks: Outbreaks,
    store: Option<Store>,
    board: Arc<Board>,
    metrics: Metrics,
    started: Instant,
    /// Steady time at the start: outbreaks of an earlier run were quiet before it.
    before: Duration,
}

/// Who called, and who was called.
#[derive(Debug, Clone, Copy)]
enum Side {
    From,
    To,
}

impl Journal {
    /// The hash of a number, which is often that of the incident before.
    fn hash(&mut self, side: Side, number: &str) -> u64 {
        let (known, hash) = &mut self.hashed[side as usize];
        if known != number {
            *hash = self.identity.hash(number);
            number.clone_into(known);
        }
        *hash
    }

    fn now(&self) -> Duration {
        self.before + self.started.elapsed()
    }

    /// Takes one incident.
    pub(super) fn note(&mut self, incident: &Told<'_>) {
        let params = &incident.exchange.request.params;
        let given = |name| params.get(name).filter(|value| !value.is_empty());
        let from = given("From").map(|from| self.hash(Side::From, from));
        let to = given("To").map(|to| self.hash(Side::To, to));
        let row = Row::of(incident);
        let seen = Seen {
            route: &row.route,
            cause: &row.cause,
            codes: &row.codes,
            time_ms: row.time_ms,
            caller: from.or_else(|| Some(self.identity.hash(given("CallSid")?))),
            observe: row.observe,
            answer: answer(incident),
            summary: &incident.bare,
        };
        let noted = self.outbreaks.note(&seen, self.now(), || incident.id);
        let new_caller = seen.caller.filter(|_| noted.new_caller);
        if let Some(change) = noted.change {
            self.told(change, &noted.outbreak);
        }
        if let Some(otlp) = &self.otlp {
            let body = if noted.whole { self.body } else { LogBody::None };
            otlp.offer(incident, body, noted.outbreak.id);
        }
        let Some(store) = &self.store else { return };
        let record = noted.whole.then(|| Box::new(Record::of(incident, row.clone(), self.capture)));
        let outbreak = noted.outbreak;
        let new = NewIncident { row, record, outbreak, from, to, new_caller };
        store.offer(Item::Incident(Box::new(new)));
    }

    /// Takes steps of a call or message.
    pub(super) fn steps(&self, sid: &str, steps: &[Noted]) {
        if let Some(store) = &self.store {
            store.offer(Item::Steps(kept_sid(sid), steps.iter().map(Noted::step).collect()));
        }
    }

    /// Closes what went quiet and hands over what was counted.
    pub(super) fn tick(&mut self) {
        self.keep_key();
        let now_ms = clock::now_ms();
        let closed = self.outbreaks.close_quiet(self.now(), now_ms);
        let traffic = self.board.take(now_ms / 60_000);
        for outbreak in closed {
            self.told(Change::Closed, &outbreak);
            if let Some(store) = &self.store {
                store.offer(Item::Outbreak(Box::new(outbreak)));
            }
        }
        if let Some(store) = &self.store
            && !traffic.is_empty()
        {
            store.offer(Item::Traffic(traffic));
        }
    }

    /// Puts the key back where it is missing: without it no number is found.
    fn keep_key(&mut self) {
        let Some(folder) = &self.state_dir else { return };
        // The store makes the folder; what can't be kept now is tried again.
        if self.has_key && Identity::is_kept(folder) {
            return;
        }
        if let Ok(kept) = self.identity.keep(folder) {
            self.identity = kept;
            self.hashed = Default::default();
            self.has_key = true;
        }
    }

    fn told(&self, change: Change, outbreak: &Outbreak) {
        say(change, outbreak);
        self.webhooks.offer(change, outbreak);
        self.metrics.outbreak(change.name(), level(&outbreak.cause));
        self.count_open();
    }

    fn count_open(&self) {
        for own in LEVELS {
            let open = self.outbreaks.open().filter(|cause| level(cause) == own).count();
            self.metrics.outbreaks_open(own, open);
        }
    }
}

/// One line when a finding went away and when it is back: what is merely quiet is soon forgotten.
fn say(change: Change, outbreak: &Outbreak) {
    let Outbreak { id, route, cause, count, callers, reopened, .. } = outbreak;
    let summary = outbreak.summary.as_deref();
    let last = rfc3339(outbreak.last_ms);
    match change {
        Change::Closed => tracing::info!(
            outbreak.id = %id, http.route = %visible(route), cause, count, callers, last, summary,
            "outbreak closed: not seen for a while, which is no proof that it is fixed"
        ),
        Change::Reopened if is_fault(cause) => tracing::warn!(
            outbreak.id = %id, http.route = %visible(route), cause, count, callers, reopened, summary,
            "outbreak is back"
        ),
        Change::Reopened => tracing::info!(
            outbreak.id = %id, http.route = %visible(route), cause, count, callers, reopened, summary,
            "outbreak is back"
        ),
        // Their incidents have events of their own.
        Change::Opened | Change::Grew => {}
    }
}

/// How bad a cause is, as metrics have it.
fn level(cause: &str) -> &'static str {
    let [fault, warning] = LEVELS;
    if is_fault(cause) { fault } else { warning }
}

/// Tells answers apart, those of different paths too.
fn answer(incident: &Incident) -> u64 {
    let path = incident.exchange.request.target.split('?').next();
    let status = match &incident.exchange.outcome {
        Outcome::Answered(answer) => Some(answer.status),
        Outcome::Failed(_) => None,
    };
    hash_of(&(path, status, &incident.judgement.decoded))
}

/// A new incident's id, and the time it was made.
pub fn new_id() -> (Uuid, u64) {
    let now = clock::now_ms();
    let nanos = u32::try_from(now % 1000).unwrap_or(0) * 1_000_000;
    (Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, now / 1000, nanos)), now)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::telemetry::kept::Kept;

    #[derive(Clone)]
    struct To(Kept);

    impl MakeWriter<'_> for To {
        type Writer = Kept;

        fn make_writer(&self) -> Kept {
            self.0.clone()
        }
    }

    fn said(change: Change, cause: &str) -> String {
        let kept = Kept::default();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(To(kept.clone())).finish();
        let outbreak = Outbreak {
            route: "/voice".to_owned(),
            cause: cause.to_owned(),
            count: 7,
            reopened: 2,
            summary: Some("12100 averted: POST /ended is the action of <Connect>".to_owned()),
            ..Outbreak::default()
        };
        tracing::subscriber::with_default(subscriber, || say(change, &outbreak));
        kept.text()
    }

    #[test]
    fn what_goes_away_and_what_is_back_is_said_with_the_url_to_blame() {
        let closed = said(Change::Closed, "no-content");
        assert!(closed.contains("INFO") && closed.contains("outbreak closed"), "{closed}");
        let back = said(Change::Reopened, "no-content");
        assert!(back.contains("WARN") && back.contains("outbreak is back"), "{back}");
        for line in [closed, back] {
            for part in ["no-content", "/voice", "is the action of <Connect>"] {
                assert!(line.contains(part), "{part}: {line}");
            }
            assert_eq!(line.lines().count(), 1, "{line}");
        }
        assert!(said(Change::Reopened, "content-type-html").contains("INFO"));
        assert_eq!(said(Change::Opened, "no-content") + &said(Change::Grew, "no-content"), "");
    }
}
