//! Whether a request's body moves on its way to the backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::config::PassLimits;

/// So many bytes of a request's body within the idle time are enough not to be silence.
const FLOOR: usize = 1024;

/// How a request's body moves; shared between the two directions of an exchange.
#[derive(Debug, Clone)]
pub(super) struct Pulse(Arc<Moving>);

#[derive(Debug)]
struct Moving {
    since: Instant,
    /// Milliseconds after `since` at which enough had moved for the last time.
    last: AtomicU64,
    /// Bytes that have moved since then.
    more: AtomicUsize,
    /// Whether the backend would take more than the client has sent.
    waits_for_client: AtomicBool,
    /// Whether all of it is sent.
    is_sent: AtomicBool,
    just_sent: Notify,
}

/// Why nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The backend does not answer, or does not take the request's body.
    Backend,
    /// The client does not send its request's body.
    Client,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Arc::new(Moving {
            since: Instant::now(),
            last: AtomicU64::new(0),
            more: AtomicUsize::new(0),
            waits_for_client: AtomicBool::new(false),
            is_sent: AtomicBool::new(false),
            just_sent: Notify::new(),
        }))
    }

    pub(super) fn moved(&self, bytes: usize) {
        if self.0.more.fetch_add(bytes, Relaxed).saturating_add(bytes) >= FLOOR {
            self.beat();
        }
    }

    pub(super) fn waits_for_client(&self, waits: bool) {
        self.0.waits_for_client.store(waits, Relaxed);
    }

    pub(super) fn sent(&self) {
        if !self.0.is_sent.swap(true, Relaxed) {
            self.beat();
            self.0.just_sent.notify_one();
        }
    }

    fn beat(&self) {
        let millis = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(millis, Relaxed);
        self.0.more.store(0, Relaxed);
    }

    /// When enough had moved for the last time.
    pub(super) fn last(&self) -> Instant {
        self.0.since + Duration::from_millis(self.0.last.load(Relaxed))
    }

    /// Waits until too little has moved for too long.
    pub(super) async fn stops(&self, limits: PassLimits) -> Stopped {
        loop {
            let is_sent = self.0.is_sent.load(Relaxed);
            let limit = if is_sent { limits.first_byte } else { limits.idle };
            let end = self.last() + limit;
            if end <= Instant::now() {
                let waits = !is_sent && self.0.waits_for_client.load(Relaxed);
                return if waits { Stopped::Client } else { Stopped::Backend };
            }
            tokio::select! {
                () = sleep_until(end) => {}
                () = self.0.just_sent.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const LIMITS: PassLimits =
        PassLimits { first_byte: Duration::from_secs(30), idle: Duration::from_mins(1) };

    /// When and why a pulse stops that gets so many bytes every 20 s, ten times.
    async fn stopped(bytes: usize) -> (u64, Stopped) {
        let (pulse, start) = (Pulse::new(), Instant::now());
        let other = pulse.clone();
        tokio::spawn(async move {
            other.waits_for_client(true);
            for _ in 0..10 {
                sleep(Duration::from_secs(20)).await;
                other.moved(bytes);
            }
        });
        let why = pulse.stops(LIMITS).await;
        (start.elapsed().as_secs(), why)
    }

    #[tokio::test(start_paused = true)]
    async fn a_pulse_stops_only_when_too_little_has_moved_for_the_whole_time() {
        assert_eq!(stopped(FLOOR).await, (10 * 20 + 60, Stopped::Client));
        assert_eq!(stopped(FLOOR / 2).await, (10 * 20 + 60, Stopped::Client));
        assert_eq!(stopped(FLOOR / 4).await, (60, Stopped::Client));
        assert_eq!(stopped(1).await, (60, Stopped::Client));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_has_the_time_for_the_first_byte() {
        let (pulse, start) = (Pulse::new(), Instant::now());
        let other = pulse.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(10)).await;
            other.sent();
        });
        assert_eq!(pulse.stops(LIMITS).await, Stopped::Backend);
        assert_eq!(start.elapsed().as_secs(), 10 + 30);
    }
}
