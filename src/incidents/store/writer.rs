//! The thread that writes, and what it does when it can't.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::counted::Counted;
use super::keep::{Keep, on_disk, retain};
use super::open::{Standing, Writable};
use super::queue::{Item, Message};
use super::read::Reader;
use super::{StoreError, open, write};
use crate::clock;
use crate::incidents::outbreak::Earlier;
use crate::telemetry::batched::Batched;
use crate::telemetry::metrics::Metrics;

/// Items that wait while nothing can be written.
const MAX_WAITING: usize = 50_000;
/// Whole records among them.
const MAX_WAITING_WHOLE: usize = 500;
/// Batches of steps among them.
const MAX_WAITING_STEPS: usize = 2_000;
/// The longest that something waits while everything is fine.
const FLUSH: Duration = Duration::from_millis(200);
/// Items in one transaction.
const BATCH: usize = 2_000;
/// Between attempts while nothing can be written.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether the file is still there.
const LOOK: Duration = Duration::from_secs(1);
/// How often old incidents are deleted, and how long after the start for the first time.
const RETAIN: Duration = Duration::from_mins(5);
/// Closed outbreaks that may return after a restart.
const REMEMBERED: Duration = Duration::from_hours(24);

/// The thread's state.
pub(super) struct Writer {
    path: PathBuf,
    keep: Keep,
    metrics: Metrics,
    db: Option<Writable>,
    /// What was written of outbreaks' counts.
    counted: Counted,
    /// Why nothing can be written, once said.
    fault: Option<String>,
    /// Whether the file was not read through since it was opened.
    unchecked: bool,
    waiting: VecDeque<Item>,
    /// Whole records that wait.
    whole: usize,
    /// Batches of steps that wait.
    steps: usize,
    /// Items dropped since it was last said.
    lost: u64,
    /// When the writer started: steady and wall time.
    started: (Instant, u64),
}

impl Writer {
    /// Opens the store in a folder if it can be now; gives outbreaks to go on with.
    pub(super) fn open(folder: &Path, keep: Keep, metrics: Metrics) -> (Self, Vec<Earlier>) {
        let mut writer = Writer {
            path: folder.join(open::FILE),
            keep,
            metrics,
            db: None,
            counted: Counted::default(),
            fault: None,
            unchecked: false,
            waiting: VecDeque::new(),
            whole: 0,
            steps: 0,
            lost: 0,
            started: (Instant::now(), clock::now_ms()),
        };
        writer.reopen();
        let known = writer.known();
        for (outbreak, _) in &known {
            writer.counted.growth(outbreak);
        }
        (writer, known)
    }

    /// Writes what comes until it is told to finish.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        if self.unchecked {
            self.check();
        }
        let (mut due, mut look, mut retain) =
            (None, Instant::now() + LOOK, Instant::now() + RETAIN);
        let mut messages = Batched::new(messages);
        loop {
            let wake = due.map_or(look, |due: Instant| due.min(look));
            match messages.next(wake.saturating_duration_since(Instant::now())) {
                Ok(Message::Item(item)) => {
                    self.wait(item);
                    due = due.or_else(|| Some(Instant::now() + FLUSH));
                }
                Ok(Message::Finish(done)) => {
                    while let Some(Message::Item(item)) = messages.at_hand() {
                        self.wait(item);
                    }
                    self.flush();
                    if let Some(db) = self.db.take() {
                        // Folds the log into the file; what fails here is in the log still.
                        let _ = db.connection.close();
                    }
                    let _ = done.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) || self.waiting.len() >= BATCH && self.db.is_some()
            {
                self.flush();
                due = (!self.waiting.is_empty()).then(|| Instant::now() + RETRY);
            }
            if look <= now {
                look = now + LOOK;
                self.look();
            }
            if retain <= now {
                retain = now + RETAIN;
                self.retain();
            }
        }
    }

    /// Keeps an item until it is written; what there is no room for is counted.
    fn wait(&mut self, mut item: Item) {
        self.metrics.store_queue(-1);
        let is_steps = matches!(item, Item::Steps(..));
        if self.waiting.len() >= MAX_WAITING || is_steps && self.steps >= MAX_WAITING_STEPS {
            self.lost += 1;
            self.metrics.not_stored(1);
            return;
        }
        if let Item::Incident(new) = &mut item
            && new.record.is_some()
        {
            if self.whole >= MAX_WAITING_WHOLE {
                new.record = None;
            } else {
                self.whole += 1;
            }
        }
        self.steps += usize::from(is_steps);
        self.waiting.push_back(item);
    }

    /// Writes what waits, as far as possible.
    fn flush(&mut self) {
        self.mind_the_file();
        if self.db.is_none() {
            self.reopen();
        }
        while !self.waiting.is_empty() {
            let Some(db) = &mut self.db else { return };
            let batch = self.waiting.len().min(BATCH);
            // What is not committed is not counted.
            let mut counted = self.counted.clone();
            let items = self.waiting.iter().take(batch);
            match write::all(&mut db.connection, items, &mut counted) {
                Ok(()) => {
                    self.counted = counted;
                    for item in self.waiting.drain(..batch) {
                        match item {
                            Item::Incident(new) if new.record.is_some() => {
                                self.whole = self.whole.saturating_sub(1);
                            }
                            Item::Steps(..) => self.steps = self.steps.saturating_sub(1),
                            _ => {}
                        }
                    }
                    self.fine();
                }
                Err(StoreError::Sqlite(error)) if is_about_data(&error) => {
                    self.drop_unfit(batch);
                }
                Err(error) => {
                    self.failed(&error);
                    return;
                }
            }
        }
    }

    /// Drops what can never be written among the next items, so that the others can be.
    fn drop_unfit(&mut self, batch: usize) {
        let Some(db) = &mut self.db else { return };
        let items: Vec<Item> = self.waiting.drain(..batch).collect();
        let steps = items.iter().filter(|item| matches!(item, Item::Steps(..))).count();
        self.steps = self.steps.saturating_sub(steps);
        for item in items {
            let mut counted = self.counted.clone();
            let written = write::all(&mut db.connection, std::iter::once(&item), &mut counted);
            if let Err(error) = written {
                self.lost += 1;
                self.metrics.not_stored(1);
                tracing::error!(error = %error, "an incident can't be stored");
            } else {
                self.counted = counted;
            }
        }
    }

    fn reopen(&mut self) {
        match open::for_writing(&self.path) {
            Ok(db) => {
                self.db = Some(db);
                self.unchecked = true;
                self.metrics.store_up(true);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Reads the file through once after it was opened.
    fn check(&mut self) {
        self.unchecked = false;
        if let Some(Err(error)) = self.db.as_ref().map(|db| open::quick_check(&db.connection)) {
            self.failed(&error);
        }
    }

    /// Outbreaks to go on with.
    fn known(&mut self) -> Vec<Earlier> {
        if self.db.is_none() {
            return Vec::new();
        }
        let day = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
        let since_ms = clock::now_ms().saturating_sub(day);
        let known = Reader::open(&self.path).and_then(|reader| reader.to_go_on_with(since_ms));
        known.unwrap_or_else(|error| {
            self.failed(&error);
            Vec::new()
        })
    }

    /// Looks after the file: whether it is there, can be opened again, is sound.
    fn look(&mut self) {
        self.mind_the_file();
        if self.db.is_none() {
            self.flush();
        } else {
            self.metrics.store_bytes(on_disk(&self.path));
        }
        if self.unchecked {
            self.check();
        }
    }

    /// Lets go of a file that somebody removed or wrote over.
    fn mind_the_file(&mut self) {
        match self.db.as_ref().map(|db| db.standing(&self.path)) {
            Some(Standing::Gone) => {
                self.db = None;
                tracing::warn!(path = %self.path.display(), "the store was moved or removed; a new one is made");
            }
            Some(Standing::Overwritten) => {
                let damage = "expected a database, found that something else was written over it";
                self.failed(&StoreError::Damaged(damage.to_owned()));
            }
            Some(Standing::Fine) | None => {}
        }
    }

    fn retain(&mut self) {
        let Some(db) = &mut self.db else { return };
        // A clock that was set forward since the start makes nothing old.
        let (steady, wall) = self.started;
        let run = u64::try_from(steady.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now_ms = clock::now_ms().min(wall.saturating_add(run));
        match retain(&mut db.connection, self.keep, now_ms) {
            Ok(0) => {}
            Ok(gone) => tracing::info!(count = gone, "old incidents were deleted from the store"),
            Err(error) => self.failed(&error),
        }
    }

    /// Something was written.
    fn fine(&mut self) {
        self.metrics.store_up(true);
        let lost = std::mem::take(&mut self.lost);
        if self.fault.take().is_some() {
            tracing::info!(path = %self.path.display(), lost, "incidents are stored again");
        }
    }

    /// Nothing can be written for now. Calls go on; the log says so once.
    fn failed(&mut self, error: &StoreError) {
        self.metrics.store_up(false);
        let damaged = matches!(error, StoreError::Damaged(_));
        let standing = self.db.as_ref().map(|db| db.standing(&self.path));
        if damaged || !matches!(error, StoreError::Sqlite(error) if is_passing(error)) {
            self.db = None;
        }
        if damaged && standing == Some(Standing::Gone) {
            // Another guard put it aside: what is there now is a new one.
            return;
        }
        if damaged {
            match open::set_aside(&self.path, clock::now_ms()) {
                Ok(aside) => {
                    tracing::error!(error = %error, aside = %aside.display(), "the store is damaged: it was put aside, a new one is made");
                }
                Err(fault) => {
                    tracing::error!(error = %error, path = %self.path.display(), fault = %fault, "the store is damaged and can't be put aside");
                }
            }
            return;
        }
        let text = error.to_string();
        if self.fault.as_ref() != Some(&text) {
            tracing::error!(error = %error, path = %self.path.display(), "incidents can't be stored; calls go on, it is tried again every second");
            self.fault = Some(text);
        }
    }
}

/// Whether an error is about what was to be written, not about the file.
fn is_about_data(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(error.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch))
}

/// Whether the connection may go on after this error.
fn is_passing(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull))
}
