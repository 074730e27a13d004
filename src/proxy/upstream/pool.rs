//! Idle connections to one backend, the most recently used first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::trust::{PROOF, Trust};

/// Idle connections per backend and worker.
const MAX_IDLE: usize = 256;

/// The same while it has to be found out whether the backend keeps them at all.
const MAX_UNPROVEN: usize = 2;

/// No idle connection is kept longer: many servers close theirs after 5 s.
const MAX_AGE: Duration = Duration::from_secs(4);

/// Which kept connections a request may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Reuse {
    /// Any: should the backend close it in that very moment, the request is sent again.
    Any,
    /// Only one that was idle for less than 1 s, at a backend that was seen to keep them for longer:
    /// the request must not run twice. (gunicorn closes after 2 s.)
    Fresh,
    /// None.
    Never,
}

impl Reuse {
    /// The longest time without a request.
    const fn max_age(self) -> Duration {
        match self {
            Self::Any => MAX_AGE,
            Self::Fresh => PROOF,
            Self::Never => Duration::ZERO,
        }
    }
}

/// A connection that waits for its next request.
pub(super) trait Waits {
    /// Whether its backend closed it, or sent a byte that nobody asked for. Once it is so, it stays
    /// so. What has not been told yet is not known: it costs nothing to ask.
    fn is_closed(&mut self) -> bool;

    /// The same, as it is at this very moment, before the connection is used.
    fn is_closed_now(&mut self) -> bool;
}

/// The idle connections, and what they tell of the backend.
#[derive(Debug)]
pub(super) struct Shelf<C> {
    /// The longest idle first.
    idle: Vec<(C, Instant)>,
    trust: Trust,
}

impl<C> Default for Shelf<C> {
    fn default() -> Self {
        Self { idle: Vec::new(), trust: Trust::default() }
    }
}

impl<C: Waits> Shelf<C> {
    /// The most recently used connection that is alive and may be used so.
    fn take(&mut self, reuse: Reuse, now: Instant) -> Option<C> {
        if let Some((oldest, since)) = self.idle.first_mut()
            && !oldest.is_closed()
        {
            self.trust.survived(now.duration_since(*since));
        }
        if reuse == Reuse::Fresh && !self.trust.is_proven() {
            return None;
        }
        while let Some((_, since)) = self.idle.last() {
            let age = now.duration_since(*since);
            // Everything below was idle even longer, but may still do for a less careful one.
            if age >= reuse.max_age() {
                return None;
            }
            let (mut connection, _) = self.idle.pop()?;
            if !connection.is_closed_now() {
                return Some(connection);
            }
            if age < PROOF {
                self.surprised(now);
            }
        }
        None
    }

    /// The exchange is over and went well.
    fn put(&mut self, mut connection: C, now: Instant) {
        if connection.is_closed() || !self.trust.keeps(now) {
            return;
        }
        if self.trust.is_proven() {
            if self.idle.len() >= MAX_IDLE {
                self.idle.remove(0);
            }
        } else if self.idle.len() >= MAX_UNPROVEN {
            // The oldest are those that prove something.
            return;
        }
        self.idle.push((connection, now));
    }

    /// Learns from what became of the idle ones, and lets go of what is closed or too old.
    fn look(&mut self, now: Instant) {
        let is_surprise = |(idle, since): &mut (C, Instant)| {
            idle.is_closed() && now.duration_since(*since) < PROOF
        };
        if self.idle.iter_mut().any(is_surprise) {
            self.surprised(now);
            return;
        }
        self.idle.retain_mut(|(idle, since)| {
            let age = now.duration_since(*since);
            if idle.is_closed() {
                return false;
            }
            self.trust.survived(age);
            age < MAX_AGE
        });
    }

    /// The backend closed a kept connection under a request: keeps nothing for a while.
    fn surprised(&mut self, now: Instant) {
        self.trust.surprised(now);
        self.idle.clear();
    }
}

/// The idle connections of one backend.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Shelf<Idle>>);

/// An idle connection.
#[derive(Debug)]
struct Idle {
    connection: Connection,
    is_closed: bool,
}

impl Waits for Idle {
    fn is_closed(&mut self) -> bool {
        // What came is read once, and gone then.
        self.is_closed |= !self.connection.is_quiet();
        self.is_closed
    }

    fn is_closed_now(&mut self) -> bool {
        self.is_closed() || !self.connection.is_quiet_now()
    }
}

/// A connection that is in use. Dropping it closes it; only [`Lease::give_back`] keeps it.
#[derive(Debug)]
pub(in crate::proxy) struct Lease {
    pub(super) connection: Connection,
    pub(super) pool: Arc<Pool>,
}

impl Lease {
    /// The exchange is over and went well: the connection may serve another one.
    ///
    /// Call it only when the answer was read to its proper end.
    pub(in crate::proxy) fn give_back(self) {
        let Self { mut connection, pool } = self;
        connection.rest();
        pool.lock().put(Idle { connection, is_closed: false }, Instant::now());
    }
}

impl Pool {
    /// A connection that may be used so, if there is one.
    pub(super) fn take(self: &Arc<Self>, reuse: Reuse, now: Instant) -> Option<Lease> {
        let Idle { connection, .. } = self.lock().take(reuse, now)?;
        Some(Lease { connection, pool: Arc::clone(self) })
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        self.lock().look(Instant::now());
    }

    /// Closes them all.
    pub(super) fn clear(&self) {
        self.lock().idle.clear();
    }

    /// The backend closed a kept connection under a request: keeps nothing for a while.
    pub(super) fn distrust(&self) {
        self.lock().surprised(Instant::now());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::HashSet;
    use std::rc::Rc;

    use super::*;

    /// A connection of the model: its number, and whether its backend closed it.
    #[derive(Debug, Clone)]
    struct Model {
        number: usize,
        is_closed: Rc<Cell<bool>>,
    }

    impl Waits for Model {
        fn is_closed(&mut self) -> bool {
            self.is_closed.get()
        }

        fn is_closed_now(&mut self) -> bool {
            self.is_closed()
        }
    }

    fn open(number: usize) -> Model {
        Model { number, is_closed: Rc::new(Cell::new(false)) }
    }

    #[test]
    fn a_webhook_uses_no_connection_of_a_backend_that_proved_nothing() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        shelf.put(open(1), start);
        let later = start + PROOF / 2;
        assert!(shelf.take(Reuse::Fresh, later).is_none());
        assert_eq!(shelf.take(Reuse::Any, later).unwrap().number, 1);
        shelf.put(open(2), later);
        shelf.put(open(3), later + PROOF);
        assert_eq!(shelf.take(Reuse::Fresh, later + PROOF).unwrap().number, 3);
        // The other one proved it, and is too old itself.
        assert!(shelf.take(Reuse::Fresh, later + PROOF).is_none());
        assert_eq!(shelf.take(Reuse::Any, later + PROOF).unwrap().number, 2);
    }

    #[test]
    fn a_backend_that_closes_what_it_kept_is_noticed_before_a_request_is_lost() {
        let (mut shelf, start) = (Shelf::default(), Instant::now());
        let (first, second) = (open(1), open(2));
        shelf.put(first.clone(), start);
        shelf.put(second, start);
        first.is_closed.set(true);
        shelf.look(start + PROOF / 4);
        assert!(shelf.take(Reuse::Any, start + PROOF / 4).is_none());
        shelf.put(open(3), start + PROOF);
        assert!(shelf.take(Reuse::Any, start + PROOF).is_none(), "nothing is kept for it now");
    }

    /// Any order of events, from a fixed seed: nothing closed, too old or distrusted is
    /// handed out, nothing twice, and nothing to a webhook without proof.
    #[test]
    fn whatever_happens_only_fit_connections_are_handed_out() {
        let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut next = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for _ in 0..200 {
            let mut now = Instant::now();
            let (mut shelf, mut in_use, mut number) = (Shelf::default(), Vec::<Model>::new(), 0);
            let mut put_at: Vec<Instant> = Vec::new();
            let (mut shelved, mut proof) = (HashSet::new(), None::<Instant>);
            let mut distrusted = None::<Instant>;
            for _ in 0..400 {
                match next(12) {
                    0..=3 => {
                        let one = in_use.pop().unwrap_or_else(|| {
                            let one = open(number);
                            number += 1;
                            put_at.push(now);
                            one
                        });
                        put_at[one.number] = now;
                        shelved.insert(one.number);
                        shelf.put(one, now);
                    }
                    4..=7 => {
                        let reuse = [Reuse::Any, Reuse::Fresh, Reuse::Never]
                            [usize::try_from(next(3)).unwrap()];
                        let survivor = shelf.idle.iter().any(|(idle, since)| {
                            !idle.is_closed.get() && now.duration_since(*since) >= PROOF
                        });
                        if survivor {
                            proof = Some(now);
                        }
                        let before = shelf.trust;
                        let taken = shelf.take(reuse, now);
                        if shelf.trust != before && matches!(shelf.trust, Trust::Distrusted { .. })
                        {
                            (proof, distrusted) = (None, Some(now));
                        }
                        let Some(one) = taken else { continue };
                        let age = now.duration_since(put_at[one.number]);
                        assert!(!one.is_closed.get());
                        assert!(age < reuse.max_age(), "{reuse:?} {age:?}");
                        assert!(shelved.remove(&one.number), "{} twice", one.number);
                        assert!(reuse != Reuse::Fresh || proof.is_some());
                        if let Some(since) = distrusted {
                            assert!(now.duration_since(since) >= Duration::from_mins(1));
                        }
                        in_use.push(one);
                    }
                    8 => {
                        if let Some((idle, _)) = shelf.idle.first() {
                            idle.is_closed.set(true);
                        }
                    }
                    9 => {
                        if let Some((idle, _)) = shelf.idle.last() {
                            idle.is_closed.set(true);
                        }
                    }
                    10 if next(8) == 0 => {
                        shelf.surprised(now);
                        (proof, distrusted) = (None, Some(now));
                    }
                    _ => now += Duration::from_millis(1 << next(16)),
                }
                assert!(shelf.idle.len() <= MAX_IDLE);
            }
        }
    }
}
