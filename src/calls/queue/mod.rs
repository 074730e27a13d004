//! The queue of callbacks on disk: at least once, in order per call.
//!
//! Each call (or message) has a lane. Whoever asks the backend for a callback holds its lane's
//! [`Claim`]; what comes meanwhile is stored behind it. A callback is on disk, synced, before
//! [`Queue::put`] or [`Claim::put`] say so, and erased when the backend took it.

mod disk;
mod index;
mod thread;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use self::index::Index;
use self::thread::Message;
use crate::clock;
use crate::config::QueueConfig;
use crate::telemetry::metrics::{CallbackCount, Metrics};

pub use self::disk::{FILE, Waiting};

/// Longest wait for the disk: Twilio waits, too.
const DISK: Duration = Duration::from_secs(5);

/// Why a callback could not be put into the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unstored {
    /// The disk.
    #[error("expected to write the queue of callbacks, found: {0}")]
    Disk(String),
    /// The bounds.
    #[error("the queue of callbacks is full; raise `callbacks_max_size`, or mend the backend")]
    Full,
}

/// The queue; cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    index: Mutex<Index>,
    changed: Notify,
    messages: Mutex<Sender<Message>>,
    /// Whether it was said that there is no room.
    is_full: AtomicBool,
    metrics: Metrics,
}

/// A callback that is due, and the claim on its lane.
#[derive(Debug)]
pub struct Due {
    /// The callback.
    pub callback: Waiting,
    /// Its lane.
    pub claim: Claim,
}

impl Queue {
    /// Opens the queue in a folder, on a thread of its own; where the file can't be opened it is
    /// tried again every second, and until then nothing can be put.
    pub fn start(folder: &Path, config: QueueConfig, metrics: Metrics) -> std::io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        // Above all that a file may hold which can't be read now.
        let first_seq = clock::now_ms().saturating_mul(1 << 12);
        let queue = Self(Arc::new(Inner {
            index: Mutex::new(Index::new(config.max_size, first_seq)),
            changed: Notify::new(),
            messages: Mutex::new(sender),
            is_full: AtomicBool::new(false),
            metrics,
        }));
        let mut keeper = thread::Keeper::new(folder, config.keep_for, Arc::downgrade(&queue.0));
        // What waits from an earlier run is known before the first request comes.
        keeper.open();
        std::thread::Builder::new()
            .name("callbacks".to_owned())
            .spawn(move || keeper.run(&messages))?;
        Ok(queue)
    }

    /// Takes a lane for a callback that is to be asked at once; `None` where another one is asked or
    /// waits there.
    pub fn claim(&self, lane: &str) -> Option<Claim> {
        let seq = self.index().claim(lane)?;
        Some(Claim { queue: self.clone(), lane: lane.to_owned(), seq, is_stored: false })
    }

    /// Stores a callback behind those of its lane.
    pub async fn put(&self, callback: Waiting) -> Result<(), Unstored> {
        let seq = self.index().next_seq();
        self.store(seq, callback).await
    }

    /// Waits for a callback that is due, and claims its lane.
    pub async fn next(&self) -> Due {
        loop {
            let changed = self.0.changed.notified();
            let due = self.index().take_due(Instant::now());
            if let Some((lane, seq)) = due {
                let claim = Claim { queue: self.clone(), lane, seq, is_stored: true };
                let (answer, read) = oneshot::channel();
                self.send(Message::Read(seq, answer));
                // More may be due, for others.
                self.0.changed.notify_one();
                if let Ok(Ok(Some(callback))) = timeout(DISK, read).await {
                    return Due { callback, claim };
                }
                drop(claim);
                continue;
            }
            let _ = timeout(Duration::from_secs(1), changed).await;
        }
    }

    /// Waits until everything so far is on disk and the file is closed.
    pub fn finish(&self, limit: Duration) {
        let (done, finished) = mpsc::sync_channel(1);
        self.send(Message::Finish(done));
        let _ = finished.recv_timeout(limit);
    }

    async fn store(&self, seq: u64, callback: Waiting) -> Result<(), Unstored> {
        let lane = callback.lane.clone();
        let is_room = self.index().reserve(&lane, seq, callback.time_ms, callback.size());
        self.say_room(is_room);
        if !is_room {
            return Err(Unstored::Full);
        }
        let (answer, stored) = oneshot::channel();
        self.send(Message::Put(seq, Box::new(callback), answer));
        let stored = match timeout(DISK, stored).await {
            Ok(Ok(stored)) => stored.map_err(Unstored::Disk),
            Ok(Err(_)) => Err(Unstored::Disk("the queue is closed".to_owned())),
            Err(_) => Err(Unstored::Disk("the disk does not answer".to_owned())),
        };
        match &stored {
            Ok(()) => {
                self.index().ready(&lane, seq);
                self.0.metrics.callback(CallbackCount::Queued, 1);
                self.0.changed.notify_one();
            }
            Err(_) => self.index().remove(&lane, seq),
        }
        stored
    }

    /// Says once that the queue is full, and that there is room again.
    fn say_room(&self, is_room: bool) {
        let is_full = &self.0.is_full;
        if !is_room {
            if !is_full.swap(true, Ordering::Relaxed) {
                let (count, _) = self.index().standing();
                tracing::error!(
                    count,
                    "the queue of callbacks is full; raise `callbacks_max_size`, or mend the backend: until then further callbacks are acknowledged only, and a failed one is lost"
                );
            }
        } else if is_full.load(Ordering::Relaxed)
            && self.index().is_roomy()
            && is_full.swap(false, Ordering::Relaxed)
        {
            tracing::info!("the queue of callbacks has room again");
        }
    }

    fn send(&self, message: Message) {
        // A thread that is gone shows itself to whoever waits for its answer.
        let _ = self.0.messages.lock().unwrap_or_else(PoisonError::into_inner).send(message);
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.0.index()
    }
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane that is held while its callback is asked. Dropped, the callback was not taken: if it is
/// stored, it is due again after a while.
#[derive(Debug)]
pub struct Claim {
    queue: Queue,
    lane: String,
    seq: u64,
    is_stored: bool,
}

impl Claim {
    /// Stores the callback that is being asked, ahead of what came later.
    pub async fn put(&mut self, callback: Waiting) -> Result<(), Unstored> {
        self.queue.store(self.seq, callback).await?;
        self.is_stored = true;
        Ok(())
    }

    /// Whether the backend had not failed one of this lane before since it took one.
    pub fn is_first_failure(&self) -> bool {
        self.queue.index().failures(&self.lane) == 0
    }

    /// The backend took the callback: it is erased.
    pub fn taken(self) {
        if self.is_stored {
            self.queue.index().remove(&self.lane, self.seq);
            self.queue.send(Message::Erase(self.seq));
        }
        self.queue.index().succeeded(&self.lane);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.queue.index().release(&self.lane, Instant::now());
        self.queue.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
