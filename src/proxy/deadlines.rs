//! One list of a worker's client connections, looked through at each tick: what takes too long is
//! ended there. No connection and no request has a timer of its own.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::activity::{Activity, Ended, Patience, TICK, Ticks};
use crate::config::Clients;
use crate::telemetry::metrics::Metrics;

/// How long a connection without a request (half a head, a handshake) may stay when the guard
/// drains or others have no room.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// How long a connection must have waited for a request to make room for others: never one that has
/// just been opened, whose request is on its way.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(1);

/// How often it is told what clients were ended.
const TELL_EVERY: Duration = Duration::from_mins(1);

/// The connections of one worker, and what time they have.
#[derive(Debug)]
pub(super) struct Deadlines {
    ticks: Arc<Ticks>,
    patience: Patience,
    is_draining: AtomicBool,
    metrics: Metrics,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: Vec<Arc<Activity>>,
    untold: Untold,
    told: Option<Instant>,
}

/// What happened since it was told last.
#[derive(Debug, Default)]
struct Untold {
    handshake: u64,
    head: u64,
    idle: u64,
    write: u64,
    tls_failed: u64,
    tls_error: Option<String>,
}

/// The ticks after which so much time has passed for certain.
fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(TICK.as_millis()).saturating_add(1)).unwrap_or(u32::MAX)
}

impl Deadlines {
    pub(super) fn new(clients: &Clients, metrics: Metrics) -> Self {
        Self {
            ticks: Arc::default(),
            patience: Patience {
                handshake: ticks(clients.head_timeout),
                head: ticks(clients.head_timeout),
                idle: ticks(clients.idle_timeout),
                write: ticks(clients.write_timeout),
            },
            is_draining: AtomicBool::new(false),
            metrics,
            inner: Mutex::default(),
        }
    }

    /// Watches a new connection for as long as somebody holds what it gives.
    pub(super) fn watch(&self, shakes_hands: bool) -> Arc<Activity> {
        let activity = Arc::new(Activity::new(Arc::clone(&self.ticks), shakes_hands));
        self.lock().open.push(Arc::clone(&activity));
        activity
    }

    /// From now on nobody who has no request under way stays for long.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Relaxed);
    }

    /// Ends connections that only wait for a request: others have no room.
    pub(super) fn make_room(&self) {
        let grace = ticks(IDLE_GRACE);
        let write = self.patience.write;
        let crowd = Patience { handshake: grace, head: grace, idle: ticks(IDLE_IN_A_CROWD), write };
        for activity in &self.lock().open {
            if activity.idle_overdue(&crowd) {
                activity.end(Ended::Room);
            }
        }
    }

    /// One tick: ends what takes too long, forgets what is over, and tells of it now and then.
    pub(super) fn tick(&self) {
        self.ticks.next();
        let is_draining = self.is_draining.load(Relaxed);
        let grace = ticks(IDLE_GRACE);
        let write = self.patience.write;
        let drained = Patience { handshake: grace, head: grace, idle: grace, write };
        let mut inner = self.lock();
        let Inner { open, untold, .. } = &mut *inner;
        open.retain(|activity| {
            if Arc::strong_count(activity) == 1 {
                return false;
            }
            if activity.ended().is_some() {
                return true;
            }
            if let Some(ended) = activity.overdue(&self.patience) {
                untold.count(ended);
                if let Some(reason) = reason(ended) {
                    self.metrics.clients().ended(reason);
                }
                activity.end(ended);
            } else if is_draining && activity.idle_overdue(&drained) {
                activity.end(Ended::Room);
            }
            true
        });
        if open.capacity() > 4 * open.len() + 64 {
            open.shrink_to(2 * open.len());
        }
        inner.tell();
    }

    /// A client that was refused in its TLS handshake.
    pub(super) fn tls_failed(&self, error: String) {
        self.metrics.clients().tls_failed();
        let untold = &mut self.lock().untold;
        untold.tls_failed += 1;
        untold.tls_error = Some(error);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Its name in metrics; what made room was no fault of the client's.
const fn reason(ended: Ended) -> Option<&'static str> {
    match ended {
        Ended::Handshake => Some("handshake"),
        Ended::Head => Some("head"),
        Ended::Idle => Some("idle"),
        Ended::Write => Some("write"),
        Ended::Room => None,
    }
}

impl Untold {
    fn count(&mut self, ended: Ended) {
        match ended {
            Ended::Handshake => self.handshake += 1,
            Ended::Head => self.head += 1,
            Ended::Idle => self.idle += 1,
            Ended::Write => self.write += 1,
            Ended::Room => {}
        }
    }
}

impl Inner {
    /// Silence between two requests is nothing to tell of.
    fn tell(&mut self) {
        let Untold { handshake, head, write, tls_failed, .. } = self.untold;
        if handshake + head + write + tls_failed == 0
            || self.told.is_some_and(|told| told.elapsed() < TELL_EVERY)
        {
            return;
        }
        let untold = std::mem::take(&mut self.untold);
        self.told = Some(Instant::now());
        tracing::info!(
            slow_handshakes = (handshake > 0).then_some(handshake),
            slow_heads = (head > 0).then_some(head),
            slow_readers = (write > 0).then_some(write),
            idle = (untold.idle > 0).then_some(untold.idle),
            tls_failures = (tls_failed > 0).then_some(tls_failed),
            tls_error = untold.tls_error,
            "clients were ended (told once a minute at most)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::instruments;

    fn deadlines() -> Deadlines {
        let second = Duration::from_secs(1);
        let clients = Clients {
            max_connections: 10,
            head_timeout: second,
            idle_timeout: 4 * second,
            write_timeout: second,
        };
        Deadlines::new(&clients, instruments().unwrap())
    }

    #[test]
    fn what_takes_too_long_is_ended_and_counted_and_what_is_gone_is_forgotten() {
        let deadlines = deadlines();
        let (slow, idle) = (deadlines.watch(false), deadlines.watch(false));
        let mut gone: Vec<_> = (0..1000).map(|_| deadlines.watch(false)).collect();
        slow.received();
        for _ in 0..8 {
            deadlines.tick();
        }
        assert_eq!((slow.ended(), idle.ended()), (Some(Ended::Head), None));
        gone.clear();
        for _ in 0..20 {
            deadlines.tick();
        }
        assert_eq!(idle.ended(), Some(Ended::Idle));
        assert_eq!(deadlines.lock().open.len(), 2);
        assert!(deadlines.lock().open.capacity() < 200);
        let text = deadlines.metrics.render();
        for (reason, count) in [("handshake", 0), ("head", 1), ("idle", 1), ("write", 0)] {
            let line = format!("twiml_guard_clients_ended_total{{reason=\"{reason}\"}} {count}\n");
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn in_a_crowd_and_at_the_end_those_who_wait_go_early() {
        let deadlines = deadlines();
        let old = deadlines.watch(false);
        let answered = deadlines.watch(false);
        let _busy = crate::proxy::activity::Busy::new(Arc::clone(&answered));
        for _ in 0..6 {
            deadlines.tick();
        }
        let new = deadlines.watch(false);
        deadlines.make_room();
        assert_eq!(old.ended(), Some(Ended::Room));
        assert_eq!((new.ended(), answered.ended()), (None, None));
        deadlines.drain();
        for _ in 0..10 {
            deadlines.tick();
        }
        assert_eq!(new.ended(), Some(Ended::Room));
        assert_eq!(answered.ended(), None);
    }
}
