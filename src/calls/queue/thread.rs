//! The thread that reads and writes the file.

use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::disk::Fault;
use super::{FILE, Inner, Waiting, disk};
use crate::clock;
use crate::incidents::store::set_aside;
use crate::telemetry::metrics::CallbackCount;

/// How often the file is tried again, and old callbacks are looked for.
const TICK: Duration = Duration::from_secs(1);

/// Callbacks in one transaction.
const BATCH: usize = 256;

/// What the thread is asked.
#[derive(Debug)]
pub(super) enum Message {
    Erase(u64),
    Finish(SyncSender<()>),
    Put(u64, Box<Waiting>, oneshot::Sender<Result<(), String>>),
    Read(u64, oneshot::Sender<Option<Waiting>>),
}

/// A callback to be written, and who waits for that.
type Put = (u64, Box<Waiting>, oneshot::Sender<Result<(), String>>);

/// The thread's state.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: PathBuf,
    keep_for: Duration,
    queue: Weak<Inner>,
    db: Option<Connection>,
    /// Whether what waited at the start is known.
    is_loaded: bool,
    /// To be erased.
    gone: Vec<u64>,
    /// Why nothing can be written, once said.
    fault: Option<String>,
    /// When the thread started: steady and wall time.
    started: (Instant, u64),
}

impl Keeper {
    pub(super) fn new(folder: &Path, keep_for: Duration, queue: Weak<Inner>) -> Self {
        let started = (Instant::now(), clock::now_ms());
        let (db, fault, gone) = (None, None, Vec::new());
        Self {
            folder: folder.to_owned(),
            keep_for,
            queue,
            db,
            is_loaded: false,
            gone,
            fault,
            started,
        }
    }

    /// Does what it is asked until the queue is gone or finished.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let mut tick = Instant::now();
        loop {
            if tick <= Instant::now() {
                tick = Instant::now() + TICK;
                self.tick();
            }
            let mut next = match messages.recv_timeout(tick - Instant::now().min(tick)) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut puts: Vec<Put> = Vec::new();
            while let Some(message) = next {
                match message {
                    Message::Put(seq, callback, done) => puts.push((seq, callback, done)),
                    Message::Erase(seq) => self.gone.push(seq),
                    Message::Read(seq, answer) => {
                        // What is to be read was written: none of it waits here.
                        let _ = answer.send(self.read(seq));
                    }
                    Message::Finish(done) => {
                        self.put(puts);
                        self.erase();
                        drop(self.db.take());
                        let _ = done.try_send(());
                        return;
                    }
                }
                next = (puts.len() < BATCH).then(|| messages.try_recv().ok()).flatten();
            }
            self.put(puts);
            self.erase();
        }
    }

    /// Opens the file; a damaged one is put aside and a new one begun.
    pub(super) fn open(&mut self) {
        if let Err(fault) = self.try_open()
            && self.failed(&fault)
            && let Err(fault) = self.try_open()
        {
            self.failed(&fault);
        }
    }

    fn try_open(&mut self) -> Result<(), Fault> {
        let db = disk::open(&self.folder)?;
        if !self.is_loaded {
            self.load(&db)?;
            self.is_loaded = true;
        }
        self.db = Some(db);
        Ok(())
    }

    /// Takes up what waited when the last run ended.
    fn load(&mut self, db: &Connection) -> Result<(), Fault> {
        let Some(queue) = self.queue.upgrade() else { return Ok(()) };
        let all = disk::all(db)?;
        if !all.is_empty() {
            tracing::info!(count = all.len(), "callbacks of an earlier run are redelivered");
        }
        let mut index = queue.index();
        for (seq, lane, time_ms, size) in all {
            index.restore(&lane, seq, time_ms, size);
        }
        drop(index);
        queue.changed.notify_one();
        Ok(())
    }

    fn put(&mut self, puts: Vec<Put>) {
        if puts.is_empty() {
            return;
        }
        let mut written = self.write(&puts);
        if let Err(fault) = written {
            let said = fault.to_string();
            written = if self.failed(&fault) {
                self.open();
                self.write(&puts)
            } else {
                Err(Fault::Other(said))
            };
        }
        if written.is_ok() {
            self.fine();
        }
        for (_, _, done) in puts {
            let _ = done.send(written.as_ref().map(|&()| ()).map_err(ToString::to_string));
        }
    }

    fn write(&mut self, puts: &[Put]) -> Result<(), Fault> {
        let Some(db) = &mut self.db else {
            let fault = self.fault.clone();
            return Err(Fault::Other(fault.unwrap_or_else(|| "it is not open".to_owned())));
        };
        disk::put(db, puts.iter().map(|(seq, callback, _)| (*seq, &**callback)))
    }

    fn erase(&mut self) {
        let Some(db) = &mut self.db else { return };
        if self.gone.is_empty() {
            return;
        }
        match disk::erase(db, &self.gone) {
            Ok(()) => self.gone.clear(),
            Err(fault) => self.renew(&fault),
        }
    }

    fn read(&mut self, seq: u64) -> Option<Waiting> {
        match disk::read(self.db.as_ref()?, seq) {
            Ok(found) => found,
            Err(fault) => {
                self.renew(&fault);
                None
            }
        }
    }

    /// Goes on with a new file, where this one is damaged.
    fn renew(&mut self, fault: &Fault) {
        if self.failed(fault) {
            self.open();
        }
    }

    fn tick(&mut self) {
        if self.db.is_none() {
            self.open();
        }
        let Some(queue) = self.queue.upgrade() else { return };
        let now_ms = self.now_ms();
        let keep = u64::try_from(self.keep_for.as_millis()).unwrap_or(u64::MAX);
        let (old, (count, oldest)) = {
            let mut index = queue.index();
            (index.expire(now_ms.saturating_sub(keep)), index.standing())
        };
        let age = oldest.map_or(0, |oldest| now_ms.saturating_sub(oldest));
        queue.metrics.callbacks_waiting(count, Duration::from_millis(age));
        if !old.is_empty() {
            let given_up = u64::try_from(old.len()).unwrap_or(u64::MAX);
            queue.metrics.callback(CallbackCount::GivenUp, given_up);
            tracing::error!(
                count = given_up,
                "callbacks were given up: the backend did not take them within callbacks_keep_for"
            );
            self.gone.extend(old);
            self.erase();
        }
    }

    /// A clock that was set forward since the start makes nothing old.
    fn now_ms(&self) -> u64 {
        let (steady, wall) = self.started;
        let run = u64::try_from(steady.elapsed().as_millis()).unwrap_or(u64::MAX);
        clock::now_ms().min(wall.saturating_add(run))
    }

    fn fine(&mut self) {
        if self.fault.take().is_some() {
            tracing::info!("callbacks are put on disk again");
        }
    }

    /// Nothing can be written for now; the log says so once. `true`: the file was damaged and is put
    /// aside, a new one can be begun.
    fn failed(&mut self, fault: &Fault) -> bool {
        let error = fault.to_string();
        if matches!(fault, Fault::Damaged(_)) {
            self.db = None;
            let path = self.folder.join(FILE);
            match set_aside(&path, clock::now_ms()) {
                Ok(aside) => {
                    self.forget(&error, &aside);
                    return true;
                }
                Err(refused) => tracing::error!(
                    error,
                    path = %path.display(),
                    fault = %refused,
                    "the queue of callbacks is damaged and can't be put aside"
                ),
            }
        }
        if self.fault.is_none() {
            tracing::error!(
                error,
                "callbacks can't be put on disk; until then they are acknowledged only, and a failed one is lost"
            );
        }
        self.fault = Some(error);
        false
    }

    /// What waited in a damaged file waits no more.
    fn forget(&mut self, error: &str, aside: &Path) {
        self.is_loaded = true;
        self.gone.clear();
        let Some(queue) = self.queue.upgrade() else { return };
        let lost = u64::try_from(queue.index().forget()).unwrap_or(u64::MAX);
        queue.metrics.callback(CallbackCount::GivenUp, lost);
        tracing::error!(
            error,
            aside = %aside.display(),
            count = lost,
            "the queue of callbacks is damaged: it was put aside with what waited, a new one is begun"
        );
    }
}
