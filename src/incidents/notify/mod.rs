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

use self::message::Message;
use self::poster::Poster;
use super::ending::{self, Ending};
use super::new_id;
use super::outbreak::{Change, Outbreak};
use super::outgoing::{Client, Target, host_name};
use super::view::is_fault;
use crate::config::notify::Notify;
use crate::telemetry::metrics::{Metrics, Told};

/// Changes on their way to one webhook.
const QUEUE: usize = 256;
const JSON: &str = "application/json";

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

/// Posts a test message to each webhook, once; for each, why it was not taken.
pub fn try_webhooks(config: &[Notify]) -> Vec<Result<(), String>> {
    let (id, now) = new_id();
    let outbreak = Outbreak {
        id,
        route: "(twiml-guard notify test: nothing is wrong)".to_owned(),
        cause: "test".to_owned(),
        codes: Vec::new(),
        since_ms: now,
        last_ms: now,
        closed_ms: None,
        reopened: 0,
        count: 1,
        callers: 0,
        observed: 0,
        summary: None,
    };
    let notice = Notice { change: Change::Opened, outbreak };
    let message = Message { notice: &notice, held: 0, host: &host_name() };
    let post = |notify: &Notify| {
        let body = message.body(&notify.format);
        let posted = client(notify)?.post(JSON, body.as_bytes(), notify.timeout);
        posted.map(drop).map_err(|failure| failure.why().to_owned())
    };
    config.iter().map(post).collect()
}

fn client(config: &Notify) -> Result<Client, String> {
    Client::new(Target {
        url: config.url.clone(),
        headers: Vec::new(),
        gzip: false,
        certificate: None,
        client: None,
        passing: |status| matches!(status, 408 | 425 | 429) || status >= 500,
    })
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
        let is_fault = is_fault(&outbreak.cause);
        let wanted = |hook: &&Webhook| {
            hook.config.tells(change.name()) && (is_fault || hook.config.warnings)
        };
        for hook in self.hooks.iter().filter(wanted) {
            let notice = Notice { change, outbreak: outbreak.clone() };
            if hook.queue.try_send(Item::Notice(Box::new(notice))).is_err() {
                hook.dropped.fetch_add(1, Ordering::Relaxed);
                hook.metrics.notify(Told::Dropped, 1);
            }
        }
    }
}

impl WebhooksHandle {
    /// Asks for what waits to be posted, at most until `deadline`.
    pub(super) fn ask(self, deadline: Instant) -> impl Iterator<Item = Ending> {
        let ask = move |(queue, thread): (SyncSender<Item>, _)| {
            let soon = Instant::now() + ending::MOMENT;
            ending::ask(&queue, Some(thread), soon, |done| Item::Finish(deadline, done))
        };
        self.threads.into_iter().filter_map(ask)
    }
}
