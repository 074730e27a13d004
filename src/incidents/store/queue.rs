//! The way to the writer's thread: a bounded queue that nobody waits at.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::keep::Keep;
use super::read::Traffic;
use super::writer::Writer;
use crate::incidents::ending;
use crate::incidents::outbreak::{Earlier, Outbreak};
use crate::incidents::record::{Record, Row};
use crate::incidents::timeline::Step;
use crate::telemetry::metrics::Metrics;

/// Items on their way to the writer.
const QUEUE: usize = 16_384;

/// One incident to be written.
#[derive(Debug, Clone)]
pub struct NewIncident {
    /// What every incident keeps.
    pub row: Row,
    /// The whole record, where it is worth it.
    pub record: Option<Box<Record>>,
    /// Its outbreak, this incident counted.
    pub outbreak: Outbreak,
    /// Hash of who called.
    pub from: Option<u64>,
    /// Hash of who was called.
    pub to: Option<u64>,
    /// The caller, where new to the outbreak.
    pub new_caller: Option<u64>,
}

/// Something to be written.
#[derive(Debug, Clone)]
pub enum Item {
    /// An incident.
    Incident(Box<NewIncident>),
    /// How an outbreak stands.
    Outbreak(Box<Outbreak>),
    /// Steps of the call or message with this SID.
    Steps(String, Vec<Step>),
    /// What became of all answers for a while.
    Traffic(Vec<Traffic>),
}

pub(super) enum Message {
    Item(Item),
    Finish(SyncSender<()>),
}

/// Takes what is to be written without ever waiting.
#[derive(Debug, Clone)]
pub struct Store {
    queue: SyncSender<Message>,
    metrics: Metrics,
}

/// Ends the writer.
#[derive(Debug)]
pub struct StoreHandle {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Store {
    /// Opens the store in a folder and starts its writer. A store that can't be opened now is tried
    /// again for as long as the guard runs; why is logged. Gives outbreaks to go on with.
    pub fn start(
        folder: &Path,
        keep: Keep,
        metrics: Metrics,
    ) -> std::io::Result<(Self, StoreHandle, Vec<Earlier>)> {
        let (queue, messages) = sync_channel(QUEUE);
        let (writer, known) = Writer::open(folder, keep, metrics.clone());
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run(&messages))?;
        Ok((Self { queue: queue.clone(), metrics }, StoreHandle { queue, thread }, known))
    }

    /// Offers something; when the queue is full it is dropped and counted.
    pub fn offer(&self, item: Item) {
        self.metrics.store_queue(1);
        if self.queue.try_send(Message::Item(item)).is_err() {
            self.metrics.store_queue(-1);
            self.metrics.not_stored(1);
        }
    }
}

impl StoreHandle {
    /// Writes what waits, at most until `deadline`, and closes the store.
    pub fn finish(self, deadline: Instant) {
        ending::finish(&self.queue, Some(self.thread), deadline, Message::Finish);
    }
}
