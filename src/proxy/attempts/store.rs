//! Which attempts are being answered, and which were a moment ago.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use tokio::sync::watch;

use super::key::Key;

/// How long an answer is given again. Twilio gives a request 15 s in all, retries included
/// (Twilio docs, connection overrides): twice that.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Attempts that are known at a time.
const MAX_ATTEMPTS: usize = 10_000;

/// Bytes of answers that are kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What an answer takes beside its body, about.
const HEAD_BYTES: usize = 1024;

/// An answer, once there is one. The sender is gone without one when its attempt broke down.
pub(super) type Pending = watch::Receiver<Option<Response<Bytes>>>;

/// The attempts that all workers know.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Attempts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<Key, Pending>,
    /// Those that have their answer, by its age, with its size.
    answered: VecDeque<(Instant, Key, usize)>,
    bytes: usize,
}

/// Whose turn it is to ask the backend.
#[derive(Debug)]
pub(super) enum Claim {
    /// This one's.
    First(Reply),
    /// An earlier one's; its answer is, or will be, here.
    Again(Pending),
}

impl Attempts {
    /// Takes a request for the first of its kind, or joins it to the first.
    pub(super) fn claim(self: &Arc<Self>, key: Key, now: Instant) -> Claim {
        let mut state = self.lock();
        state.forget_old(now);
        if let Some(pending) = state.known.get(&key) {
            return Claim::Again(pending.clone());
        }
        if state.known.len() >= MAX_ATTEMPTS && !state.forget_oldest() {
            // All of them still run: this one goes without.
            return Claim::First(Reply::unshared());
        }
        let (sender, pending) = watch::channel(None);
        state.known.insert(key, pending);
        Claim::First(Reply { sender, shared: Some((Arc::clone(self), key)) })
    }

    /// Forgets the answers that are too old.
    pub(in crate::proxy) fn sweep(&self, now: Instant) {
        self.lock().forget_old(now);
    }

    fn answered(&self, key: Key, body: usize, now: Instant) {
        let mut state = self.lock();
        let size = body.saturating_add(HEAD_BYTES);
        state.bytes = state.bytes.saturating_add(size);
        state.answered.push_back((now, key, size));
        while state.bytes > MAX_BYTES && state.forget_oldest() {}
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_old(&mut self, now: Instant) {
        while let Some((since, ..)) = self.answered.front()
            && now.saturating_duration_since(*since) > REMEMBERED
        {
            self.forget_oldest();
        }
    }

    /// `false`: none has its answer.
    fn forget_oldest(&mut self) -> bool {
        let Some((_, key, size)) = self.answered.pop_front() else { return false };
        self.known.remove(&key);
        self.bytes = self.bytes.saturating_sub(size);
        true
    }
}

/// Where the answer to a first attempt goes. Dropped without one, its waiters learn that.
#[derive(Debug)]
pub(in crate::proxy) struct Reply {
    sender: watch::Sender<Option<Response<Bytes>>>,
    shared: Option<(Arc<Attempts>, Key)>,
}

impl Reply {
    /// For a request that no other is joined to.
    pub(super) fn unshared() -> Self {
        Self { sender: watch::Sender::new(None), shared: None }
    }

    /// Where the answer appears.
    pub(super) fn pending(&self) -> Pending {
        self.sender.subscribe()
    }

    /// Gives the answer to all who wait, and to those who come within 30 s.
    pub(in crate::proxy) fn give(mut self, answer: Response<Bytes>) {
        if let Some((attempts, key)) = self.shared.take() {
            attempts.answered(key, answer.body().len(), Instant::now());
        }
        self.sender.send_replace(Some(answer));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some((attempts, key)) = self.shared.take() {
            attempts.lock().known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_be_bytes());
        key
    }

    fn first(claim: Claim) -> Reply {
        match claim {
            Claim::First(reply) => reply,
            Claim::Again(_) => panic!("expected the first attempt"),
        }
    }

    fn again(claim: Claim) -> Pending {
        match claim {
            Claim::Again(pending) => pending,
            Claim::First(_) => panic!("expected a repeated attempt"),
        }
    }

    fn body(pending: &Pending) -> Option<Bytes> {
        pending.borrow().as_ref().map(|answer| answer.body().clone())
    }

    #[test]
    fn a_retry_joins_the_first_and_gets_its_answer_for_30_s() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let reply = first(attempts.claim(key(1), now));
        let waiting = again(attempts.claim(key(1), now));
        assert_eq!(body(&waiting), None);
        reply.give(Response::new(Bytes::from_static(b"hello")));
        assert_eq!(body(&waiting).unwrap(), "hello");
        let later = Instant::now() + Duration::from_secs(29);
        assert_eq!(body(&again(attempts.claim(key(1), later))).unwrap(), "hello");
        drop(first(attempts.claim(key(2), later)));
        let too_late = Instant::now() + Duration::from_secs(31);
        drop(first(attempts.claim(key(1), too_late)));
        assert_eq!(attempts.lock().bytes, 0);
    }

    #[test]
    fn an_attempt_that_runs_is_known_however_long_it_takes() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let _reply = first(attempts.claim(key(1), now));
        let later = now + Duration::from_hours(1);
        attempts.sweep(later);
        again(attempts.claim(key(1), later));
    }

    #[test]
    fn one_that_breaks_down_tells_its_waiters_and_is_forgotten() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let reply = first(attempts.claim(key(1), now));
        let waiting = again(attempts.claim(key(1), now));
        drop(reply);
        assert!(waiting.has_changed().is_err());
        drop(first(attempts.claim(key(1), now)));
    }

    #[test]
    fn the_number_is_bounded_and_running_ones_stay() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        first(attempts.claim(key(0), now)).give(Response::default());
        let running: Vec<_> = (1..=MAX_ATTEMPTS).map(|n| attempts.claim(key(n), now)).collect();
        assert_eq!(attempts.lock().known.len(), MAX_ATTEMPTS);
        // The one that was answered made room; now there is none.
        assert!(first(attempts.claim(key(0), now)).shared.is_none());
        assert_eq!(attempts.lock().known.len(), MAX_ATTEMPTS);
        drop(running);
        assert!(attempts.lock().known.is_empty());
    }

    #[test]
    fn the_bytes_are_bounded() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let large = Bytes::from(vec![0; MAX_BYTES / 4]);
        for n in 0..10 {
            first(attempts.claim(key(n), now)).give(Response::new(large.clone()));
            assert!(attempts.lock().bytes <= MAX_BYTES);
        }
        again(attempts.claim(key(9), now));
        drop(first(attempts.claim(key(0), now)));
    }
}
