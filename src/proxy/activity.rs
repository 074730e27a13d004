//! What a client's connection is doing, and since when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;

/// Time as the deadlines count it: in ticks, each of which the worker was there for. While it is
/// held up nobody's time runs out.
#[derive(Debug, Default)]
pub(super) struct Ticks(AtomicU32);

/// Time between two ticks.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// Bytes that a client has to take in the time that it has, where more wait for it.
const LEAST_TAKEN: u32 = 1024;

impl Ticks {
    /// Counts one more.
    pub(super) fn next(&self) -> u32 {
        self.0.fetch_add(1, Relaxed).wrapping_add(1)
    }

    fn now(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

/// Why a connection was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The TLS handshake took too long.
    Handshake = 1,
    /// A request's head took too long.
    Head,
    /// No request came.
    Idle,
    /// The client takes nothing of what waits for it.
    Write,
    /// It was idle, and the guard stops or others have no room.
    Room,
}

/// How long a connection may be without a request, by what it does instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) handshake: u32,
    pub(super) head: u32,
    pub(super) idle: u32,
    pub(super) write: u32,
}

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    ticks: Arc<Ticks>,
    in_flight: AtomicU32,
    /// Whether the TLS handshake is still due.
    shakes_hands: AtomicBool,
    /// Whether bytes have come since the last request ended.
    in_head: AtomicBool,
    /// When the handshake, the head or the waiting for one began.
    since: AtomicU32,
    /// Whether bytes wait for the client, since when, and how many it took since then.
    is_blocked: AtomicBool,
    blocked_since: AtomicU32,
    taken: AtomicU32,
    /// Whether it has become a tunnel, in which silence is fine.
    is_tunnel: AtomicBool,
    ended: AtomicU8,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Activity {
    pub(super) fn new(ticks: Arc<Ticks>, shakes_hands: bool) -> Self {
        let now = ticks.now();
        Self {
            ticks,
            in_flight: AtomicU32::new(0),
            shakes_hands: AtomicBool::new(shakes_hands),
            in_head: AtomicBool::new(false),
            since: AtomicU32::new(now),
            is_blocked: AtomicBool::new(false),
            blocked_since: AtomicU32::new(now),
            taken: AtomicU32::new(0),
            is_tunnel: AtomicBool::new(false),
            ended: AtomicU8::new(0),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        }
    }

    /// The TLS handshake is done: a request may come.
    pub(super) fn shook_hands(&self) {
        self.shakes_hands.store(false, Relaxed);
        self.since.store(self.ticks.now(), Relaxed);
    }

    /// It is no HTTP connection any more.
    pub(super) fn became_tunnel(&self) {
        self.is_tunnel.store(true, Relaxed);
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        if self.in_flight.load(Relaxed) == 0 && !self.in_head.swap(true, Relaxed) {
            self.since.store(self.ticks.now(), Relaxed);
        }
    }

    /// The client took so many bytes; `all` if nothing waits for it now.
    pub(super) fn took(&self, bytes: usize, all: bool) {
        if !self.is_blocked.load(Relaxed) {
            return;
        }
        if all {
            self.is_blocked.store(false, Relaxed);
            self.since.store(self.ticks.now(), Relaxed);
        } else {
            let taken = self.taken.load(Relaxed);
            self.taken
                .store(taken.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX)), Relaxed);
        }
    }

    /// Bytes wait for the client.
    pub(super) fn blocked(&self) {
        if !self.is_blocked.swap(true, Relaxed) {
            self.restart_window();
        }
    }

    fn restart_window(&self) {
        self.blocked_since.store(self.ticks.now(), Relaxed);
        self.taken.store(0, Relaxed);
    }

    /// What ran out of time at this tick, if anything did.
    pub(super) fn overdue(&self, patience: &Patience) -> Option<Ended> {
        let now = self.ticks.now();
        let lasted = |since: &AtomicU32| now.wrapping_sub(since.load(Relaxed));
        if self.is_blocked.load(Relaxed) {
            if lasted(&self.blocked_since) < patience.write {
                return None;
            }
            let is_slow = self.taken.load(Relaxed) < LEAST_TAKEN;
            self.restart_window();
            return is_slow.then_some(Ended::Write);
        }
        if self.in_flight.load(Relaxed) > 0 || self.is_tunnel.load(Relaxed) {
            return None;
        }
        let (limit, ended) = if self.shakes_hands.load(Relaxed) {
            (patience.handshake, Ended::Handshake)
        } else if self.in_head.load(Relaxed) {
            (patience.head, Ended::Head)
        } else {
            (patience.idle, Ended::Idle)
        };
        (lasted(&self.since) >= limit).then_some(ended)
    }

    /// Whether it has waited too long for a request, or for the rest of its head.
    pub(super) fn idle_overdue(&self, patience: &Patience) -> bool {
        !self.is_blocked.load(Relaxed) && self.overdue(patience).is_some()
    }

    /// Whether a request's head has begun.
    pub(super) fn is_in_head(&self) -> bool {
        self.in_head.load(Relaxed)
    }

    /// Waits until it is ended.
    pub(super) async fn until_ended(&self) {
        std::future::poll_fn(|cx| {
            if self.ended().is_some() {
                return Poll::Ready(());
            }
            self.reader.register(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Ends it: whoever reads or writes is told.
    pub(super) fn end(&self, why: Ended) {
        if self.ended.compare_exchange(0, why as u8, Relaxed, Relaxed).is_ok() {
            self.reader.wake();
            self.writer.wake();
        }
    }

    /// Why it was ended, if it was.
    pub(super) fn ended(&self) -> Option<Ended> {
        match self.ended.load(Relaxed) {
            1 => Some(Ended::Handshake),
            2 => Some(Ended::Head),
            3 => Some(Ended::Idle),
            4 => Some(Ended::Write),
            5 => Some(Ended::Room),
            _ => None,
        }
    }

    /// A request came after all, in the moment in which it was ended for want of one.
    pub(super) fn reprieve(&self) {
        self.ended.store(0, Relaxed);
    }

    /// Who is woken when it is ended while it waits to read.
    pub(super) fn reader(&self) -> &AtomicWaker {
        &self.reader
    }

    /// Who is woken when it is ended while it waits to write.
    pub(super) fn writer(&self) -> &AtomicWaker {
        &self.writer
    }
}

/// A request that is being answered, until the last byte of its answer is handed on.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Busy {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.in_flight.fetch_add(1, Relaxed);
        activity.in_head.store(false, Relaxed);
        Self(activity)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.since.store(self.0.ticks.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { handshake: 4, head: 4, idle: 10, write: 6 };

    fn activity(shakes_hands: bool) -> Arc<Activity> {
        Arc::new(Activity::new(Arc::default(), shakes_hands))
    }

    /// When it is overdue first, counted in ticks from now.
    fn ends_after(activity: &Activity) -> Option<(u32, Ended)> {
        (1..100).find_map(|n| {
            activity.ticks.next();
            activity.overdue(&PATIENCE).map(|ended| (n, ended))
        })
    }

    #[test]
    fn each_phase_has_its_time() {
        assert_eq!(ends_after(&activity(true)), Some((4, Ended::Handshake)));
        assert_eq!(ends_after(&activity(false)), Some((10, Ended::Idle)));
        let dripping = activity(false);
        for _ in 0..3 {
            dripping.received();
            dripping.ticks.next();
            assert_eq!(dripping.overdue(&PATIENCE), None);
        }
        dripping.received();
        assert_eq!(ends_after(&dripping), Some((1, Ended::Head)), "drops buy no time");
        let tunnel = activity(false);
        tunnel.became_tunnel();
        assert_eq!(ends_after(&tunnel), None);
    }

    #[test]
    fn a_request_has_all_the_time_that_its_answer_takes() {
        let own = activity(false);
        own.received();
        let busy = Busy::new(Arc::clone(&own));
        own.received();
        assert_eq!(ends_after(&own), None);
        drop(busy);
        assert_eq!(ends_after(&own), Some((10, Ended::Idle)));
    }

    #[test]
    fn a_client_takes_a_little_at_least() {
        let own = activity(false);
        let _busy = Busy::new(Arc::clone(&own));
        own.blocked();
        assert_eq!(ends_after(&own), Some((6, Ended::Write)));
        own.blocked();
        own.took(1023, false);
        own.blocked();
        assert_eq!(ends_after(&own), Some((6, Ended::Write)));
        for _ in 0..20 {
            own.took(512, false);
            for _ in 0..3 {
                own.ticks.next();
                assert_eq!(own.overdue(&PATIENCE), None, "slow, but it reads");
            }
        }
        own.took(1, true);
        assert_eq!(ends_after(&own), None);
    }
}
