//! The thread of one webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::limit::{Limiter, MAX_AGE};
use super::message::Message;
use super::{Item, JSON, client};
use crate::config::notify::Notify;
use crate::incidents::outgoing::{Backoff, Client, Failure, Trouble, host_name};
use crate::telemetry::metrics::{Metrics, Told};

/// First and longest wait between attempts.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(2));
/// Most attempts for one message.
const MAX_ATTEMPTS: u32 = 12;
/// The thread looks up at least so often.
const LOOK: Duration = Duration::from_mins(1);

/// Posts to one webhook.
#[derive(Debug)]
pub(super) struct Poster {
    /// Which `[[notify]]` of the file, from 1: its URL is a secret.
    number: usize,
    config: Notify,
    client: Client,
    host: String,
    limiter: Limiter,
    letter: Option<Letter>,
    dropped: Arc<AtomicU64>,
    metrics: Metrics,
    started: Instant,
    trouble: Trouble,
}

/// A message on its way.
#[derive(Debug)]
struct Letter {
    body: String,
    /// Messages that it tells of besides its own.
    held: u64,
    since: Instant,
    next: Instant,
    backoff: Backoff,
}

impl Poster {
    /// For the webhook of this number. `Err` says why nothing can be posted to it.
    pub(super) fn new(
        number: usize,
        config: &Notify,
        dropped: Arc<AtomicU64>,
        metrics: Metrics,
    ) -> Result<Self, String> {
        let client = client(config)?;
        Ok(Self {
            number,
            limiter: Limiter::new(config.per_minute),
            config: config.clone(),
            client,
            host: host_name(),
            letter: None,
            dropped,
            metrics,
            started: Instant::now(),
            trouble: Trouble::default(),
        })
    }

    /// Posts what comes until it is told to finish.
    pub(super) fn run(mut self, items: &Receiver<Item>) {
        loop {
            let mut next = items.recv_timeout(self.wait());
            while let Ok(Item::Notice(notice)) = next {
                self.limiter.offer(*notice, self.started.elapsed());
                next = items.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            self.say_dropped();
            match next {
                Ok(Item::Finish(deadline, done)) => {
                    self.finish(deadline);
                    let _ = done.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                _ => self.post_due(self.config.timeout),
            }
        }
    }

    /// How long nothing is to be done.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let next = match &self.letter {
            Some(letter) => Some(letter.next.saturating_duration_since(now)),
            None => self.limiter.due(self.started.elapsed()),
        };
        next.unwrap_or(LOOK).min(LOOK)
    }

    /// Makes the next letter and posts it, if it is time.
    fn post_due(&mut self, within: Duration) {
        let now = Instant::now();
        if self.letter.is_none() {
            self.letter = self.take(now);
        }
        let Some(mut letter) = self.letter.take_if(|letter| letter.next <= now) else { return };
        match self.client.post(JSON, letter.body.as_bytes(), within) {
            Ok(_) => {
                self.metrics.notify(Told::Sent, 1);
                if self.trouble.is_over() {
                    tracing::info!(notify = self.number, "messages are posted again");
                }
            }
            Err(Failure::Passing { why, after })
                if letter.since.elapsed() < MAX_AGE && letter.backoff.attempts() < MAX_ATTEMPTS =>
            {
                letter.next = Instant::now() + letter.backoff.next(after);
                self.letter = Some(letter);
                self.say(&why, "a message could not be posted; it is tried again");
            }
            Err(failure) => {
                self.give_up(&letter);
                self.say(failure.why(), "a message was given up");
            }
        }
    }

    fn take(&mut self, now: Instant) -> Option<Letter> {
        let taken = self.limiter.take(self.started.elapsed());
        self.metrics.notify(Told::Held, self.limiter.held_back());
        let (notice, held) = taken?;
        let message = Message { notice: &notice, held, host: &self.host };
        Some(Letter {
            body: message.body(&self.config.format),
            held,
            since: now,
            next: now,
            backoff: Backoff::new(WAITS.0, WAITS.1),
        })
    }

    fn give_up(&mut self, letter: &Letter) {
        self.metrics.notify(Told::Failed, 1);
        self.limiter.lost(letter.held + 1);
    }

    /// One more attempt for what waits, as far as there is time.
    fn finish(&mut self, deadline: Instant) {
        if let Some(letter) = &mut self.letter {
            letter.next = Instant::now();
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.post_due(left.min(self.config.timeout));
            if self.letter.is_some()
                || self.limiter.due(self.started.elapsed()) != Some(Duration::ZERO)
            {
                return;
            }
        }
    }

    fn say_dropped(&mut self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.limiter.lost(dropped);
            tracing::warn!(notify = self.number, dropped, "messages did not fit the queue");
        }
    }

    /// Says what goes wrong, once for each reason.
    fn say(&mut self, why: &str, what: &str) {
        if self.trouble.is_new(&format!("{what}: {why}")) {
            tracing::warn!(notify = self.number, reason = why, "{what}");
        }
    }
}
