//! Tells webhooks of outbreaks: each has a bounded queue and a thread of its own, and nothing waits
//! for either.

mod limit;
mod message;
mod poster;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use self::poster::Poster;
use super::ending;
use super::outbreak::{Change, Outbreak};
use crate::config::notify::Notify;
use crate::telemetry::metrics::{Metrics, Told};

/// Changes on their way to one webhook.
const QUEUE: usize = 256;

/// A change of an outbreak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// What happened.
    pub(super) change: Change,
    /// The outbreak after it.
    pub(super) outbreak: Outbreak,
}

enum Item {
    Notice(Box<Notice>),
    /// Post what waits until then, and say so.
    Finish(Instant, SyncSender<()>),
}

/// All webhooks.
#[derive(Debug, Default)]
pub(super) struct Webhooks {
    hooks: Vec<Webhook>,
}

#[derive(Debug)]
struct Webhook {
    config: Notify,
    queue: SyncSender<Item>,
    /// Changes that did not fit the queue.
    dropped: Arc<AtomicU64>,
    metrics: Metrics,
}

/// Ends the threads.
#[derive(Debug, Default)]
pub(super) struct WebhooksHandle {
    threads: Vec<(SyncSender<Item>, JoinHandle<()>)>,
}

impl Webhooks {
    /// Starts a thread for each webhook.
    pub(super) fn start(
        config: &[Notify],
        metrics: &Metrics,
    ) -> io::Result<(Self, WebhooksHandle)> {
        let (mut hooks, mut handle) = (Self::default(), WebhooksHandle::default());
        for (at, notify) in config.iter().enumerate() {
            let (queue, items) = sync_channel(QUEUE);
            let dropped = Arc::new(AtomicU64::new(0));
            let shared = Arc::clone(&dropped);
            let poster =
                Poster::new(at + 1, notify, shared, metrics.clone()).map_err(io::Error::other)?;
            let thread = std::thread::Builder::new()
                .name(format!("notify-{}", at + 1))
                .spawn(move || poster.run(&items))?;
            handle.threads.push((queue.clone(), thread));
            let (config, metrics) = (notify.clone(), metrics.clone());
            hooks.hooks.push(Webhook { config, queue, dropped, metrics });
        }
        Ok((hooks, handle))
    }

    /// Offers a change to those that want to be told of it; what does not fit is counted and told
    /// with the next message.
    pub(super) fn offer(&self, change: Change, outbreak: &Outbreak) {
        for hook in self.hooks.iter().filter(|hook| hook.config.tells(change.name())) {
            let notice = Notice { change, outbreak: outbreak.clone() };
            if hook.queue.try_send(Item::Notice(Box::new(notice))).is_err() {
                hook.dropped.fetch_add(1, Ordering::Relaxed);
                hook.metrics.notify(Told::Dropped, 1);
            }
        }
    }
}

impl WebhooksHandle {
    /// Posts what waits, at most until `deadline`.
    pub(super) fn finish(self, deadline: Instant) {
        for (queue, thread) in self.threads {
            ending::finish(&queue, Some(thread), deadline, |done| Item::Finish(deadline, done));
        }
    }
}
