//! Incidents on their way to a collector: gathered, sent in batches, kept while it is away.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prost::Message as _;
use uuid::Uuid;

use super::proto::{LogRecord, LogsRequest, Resource, ResourceLogs, ScopeLogs};
use super::record::record;
use super::scope;
use super::sender::Sender;
use crate::config::otlp::Batch;
use crate::incidents::ending::{self, Ending};
use crate::incidents::event::Told;
use crate::incidents::outgoing::{Backoff, Failure};
use crate::telemetry::metrics::{Exported, Metrics};
use crate::telemetry::settings::LogBody;

/// Most bytes of records in one request: collectors refuse large ones.
const MAX_BYTES: usize = 3 * 1024 * 1024;
/// First and longest wait between attempts.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// The thread looks up at least so often, and says what was dropped.
const LOOK: Duration = Duration::from_mins(1);

enum Item {
    Record(Box<LogRecord>),
    /// Send what waits until then, and say so.
    Finish(Instant, SyncSender<()>),
}

/// Takes incidents without ever waiting.
#[derive(Debug)]
pub(in crate::incidents) struct Logs {
    queue: SyncSender<Item>,
    /// Records that were offered and not yet taken by the collector.
    waiting: Arc<AtomicUsize>,
    most: usize,
    metrics: Metrics,
}

/// Ends the thread.
#[derive(Debug)]
pub(super) struct LogsHandle {
    queue: SyncSender<Item>,
    thread: JoinHandle<()>,
}

impl Logs {
    /// Starts the thread that sends.
    pub(super) fn start(
        sender: Sender,
        resource: Arc<Resource>,
        batch: Batch,
    ) -> io::Result<(Self, LogsHandle)> {
        let (queue, items) = sync_channel(batch.queue);
        let waiting = Arc::new(AtomicUsize::new(0));
        let metrics = sender.metrics.clone();
        let exporter = Exporter {
            sender,
            resource,
            batch,
            waiting: Arc::clone(&waiting),
            records: VecDeque::new(),
            oldest: None,
            backoff: Backoff::new(WAITS.0, WAITS.1),
            not_before: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name("otlp-logs".to_owned())
            .spawn(move || exporter.run(&items))?;
        let logs = Self { queue: queue.clone(), waiting, most: batch.queue, metrics };
        Ok((logs, LogsHandle { queue, thread }))
    }

    /// Offers an incident; while as many wait as may, it is dropped and counted.
    pub(in crate::incidents) fn offer(&self, incident: &Told<'_>, body: LogBody, outbreak: Uuid) {
        let is_free = self.waiting.fetch_add(1, Ordering::Relaxed) < self.most;
        let make = || Item::Record(Box::new(record(incident, body, outbreak)));
        if !is_free || self.queue.try_send(make()).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.metrics.otlp("logs", Exported::Dropped, 1);
        }
    }
}

impl LogsHandle {
    /// Asks for what waits to be sent, at most until `deadline`.
    pub(super) fn ask(self, deadline: Instant) -> Option<Ending> {
        let make = |done| Item::Finish(deadline, done);
        ending::ask(&self.queue, Some(self.thread), Instant::now() + ending::MOMENT, make)
    }
}

#[derive(Debug)]
struct Exporter {
    sender: Sender,
    resource: Arc<Resource>,
    batch: Batch,
    waiting: Arc<AtomicUsize>,
    records: VecDeque<LogRecord>,
    /// When the oldest record came.
    oldest: Option<Instant>,
    backoff: Backoff,
    not_before: Instant,
}

impl Exporter {
    fn run(mut self, items: &Receiver<Item>) {
        loop {
            let mut next = items.recv_timeout(self.wait());
            while let Ok(Item::Record(record)) = next {
                self.records.push_back(*record);
                self.oldest.get_or_insert_with(Instant::now);
                next = items.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            match next {
                Ok(Item::Finish(deadline, done)) => {
                    self.finish(deadline);
                    let _ = done.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                _ if self.is_due() => {
                    let _ = self.export(self.sender.timeout());
                }
                _ => {}
            }
        }
    }

    fn is_due(&self) -> bool {
        !self.records.is_empty() && self.wait().is_zero()
    }

    /// How long nothing is to be done.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let Some(oldest) = self.oldest else { return LOOK };
        let full = self.records.len() >= self.batch.size;
        let due = if full { now } else { oldest + self.batch.delay };
        due.max(self.not_before).saturating_duration_since(now).min(LOOK)
    }

    /// Sends one batch; whether the next may follow at once.
    fn export(&mut self, within: Duration) -> bool {
        let mut bytes = 0;
        let batch: Vec<_> = self
            .records
            .iter()
            .take(self.batch.size)
            .take_while(|record| {
                let is_first = bytes == 0;
                bytes += record.encoded_len();
                is_first || bytes <= MAX_BYTES
            })
            .cloned()
            .collect();
        let count = batch.len();
        let resource_logs = ResourceLogs {
            resource: Some((*self.resource).clone()),
            scope_logs: vec![ScopeLogs { scope: Some(scope()), log_records: batch }],
        };
        let request = LogsRequest { resource_logs: vec![resource_logs] };
        let result = self.sender.send(&request, within);
        if let Err(Failure::Passing { after, .. }) = &result {
            // They stay; new ones are dropped when there is no more room.
            self.not_before = Instant::now() + self.backoff.next(*after);
            return false;
        }
        self.backoff.reset();
        let rejected = result.map_or(count as u64, |rejected| rejected.min(count as u64));
        self.sender.count(Exported::Sent, count as u64 - rejected);
        self.sender.count(Exported::Failed, rejected);
        self.records.drain(..count);
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        // What is left came while this batch was full or on its way.
        self.oldest = (!self.records.is_empty()).then(Instant::now);
        true
    }

    fn finish(&mut self, deadline: Instant) {
        let left = || deadline.saturating_duration_since(Instant::now());
        while !self.records.is_empty() && !left().is_zero() && self.export(left()) {}
        let lost = self.records.len() as u64;
        if lost > 0 {
            self.sender.count(Exported::Dropped, lost);
            tracing::warn!(signal = "logs", lost, "the collector did not take all before the end");
        }
    }
}
