//! Which attempts are being answered, and which were a moment ago.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use tokio::sync::Notify;

use super::key::Key;

/// How long an answer is given again. Twilio gives a request 15 s in all, retries included
/// (Twilio docs, connection overrides): twice that.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Attempts that are known at a time.
const MAX_ATTEMPTS: usize = 10_000;

/// Bytes of answers that are kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What an answer takes beside its body and its key, about.
const HEAD_BYTES: usize = 1024;

/// A request that is answered once, however often it is sent.
#[derive(Debug)]
struct Once {
    key: Key,
    /// Of the key, which is hashed once.
    hash: u64,
    /// The answer, once there is one; `None` where its attempt broke down.
    answer: OnceLock<Option<Response<Bytes>>>,
    is_over: Notify,
}

impl Once {
    fn new(key: Key, hash: u64) -> Arc<Self> {
        Arc::new(Self { key, hash, answer: OnceLock::new(), is_over: Notify::new() })
    }

    /// The first to say so says how it ended.
    fn end(&self, answer: Option<Response<Bytes>>) {
        if self.answer.set(answer).is_ok() {
            self.is_over.notify_waiters();
        }
    }
}

impl PartialEq for Once {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for Once {}

impl Hash for Once {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// The answer of an attempt that may still run.
#[derive(Debug)]
pub(super) struct Pending(Arc<Once>);

impl Pending {
    /// The answer, if there is one yet.
    pub(super) fn now(&self) -> Option<Response<Bytes>> {
        self.0.answer.get().cloned().flatten()
    }

    /// The answer, once it is there; `None` if there will be none.
    pub(super) async fn given(&self) -> Option<Response<Bytes>> {
        // Asked for before it is looked, so that nothing is missed in between.
        let over = self.0.is_over.notified();
        if self.0.answer.get().is_none() {
            over.await;
        }
        self.now()
    }
}

/// The attempts that all workers know.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Attempts {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashSet<Arc<Once>>,
    /// Those that have their answer, by its age, with its size.
    answered: VecDeque<(Instant, Arc<Once>, usize)>,
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
        let hash = self.hasher.hash_one(&key);
        let once = Once::new(key, hash);
        self.sweep(now);
        let mut state = self.lock();
        if let Some(known) = state.known.get(&once) {
            return Claim::Again(Pending(Arc::clone(known)));
        }
        if state.known.len() >= MAX_ATTEMPTS && state.forget_oldest().is_none() {
            // All of them still run: this one goes without.
            return Claim::First(Reply { once, shared: None });
        }
        state.known.insert(Arc::clone(&once));
        Claim::First(Reply { once, shared: Some(Arc::clone(self)) })
    }

    /// Forgets the answers that are too old.
    pub(in crate::proxy) fn sweep(&self, now: Instant) {
        let forgotten = self.lock().forget_old(now);
        // Freed while nobody waits for the lock.
        drop(forgotten);
    }

    fn answered(&self, once: &Arc<Once>, body: usize, now: Instant) {
        let size = body.saturating_add(once.key.len()).saturating_add(HEAD_BYTES);
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_add(size);
        state.answered.push_back((now, Arc::clone(once), size));
        while state.bytes > MAX_BYTES && state.forget_oldest().is_some() {}
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what is too old, and gives it to be freed.
    fn forget_old(&mut self, now: Instant) -> Vec<Arc<Once>> {
        let mut forgotten = Vec::new();
        while let Some((since, ..)) = self.answered.front()
            && now.saturating_duration_since(*since) > REMEMBERED
        {
            forgotten.extend(self.forget_oldest());
        }
        forgotten
    }

    /// `None`: none has its answer.
    fn forget_oldest(&mut self) -> Option<Arc<Once>> {
        let (_, once, size) = self.answered.pop_front()?;
        self.known.remove(&once);
        self.bytes = self.bytes.saturating_sub(size);
        Some(once)
    }
}

/// Where the answer to a first attempt goes. Dropped without one, its waiters learn that.
#[derive(Debug)]
pub(in crate::proxy) struct Reply {
    once: Arc<Once>,
    /// Where others may join it.
    shared: Option<Arc<Attempts>>,
}

impl Reply {
    /// For a request that no other is joined to.
    pub(super) fn unshared() -> Self {
        Self { once: Once::new(Key::new(), 0), shared: None }
    }

    /// Where the answer appears.
    pub(super) fn pending(&self) -> Pending {
        Pending(Arc::clone(&self.once))
    }

    /// Gives the answer to all who wait, and to those who come within 30 s.
    pub(in crate::proxy) fn give(mut self, answer: Response<Bytes>) {
        if let Some(attempts) = self.shared.take() {
            attempts.answered(&self.once, answer.body().len(), Instant::now());
        }
        self.once.end(Some(answer));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(attempts) = self.shared.take() {
            attempts.lock().known.remove(&self.once);
        }
        self.once.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> Key {
        n.to_be_bytes().to_vec()
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
        pending.now().map(Response::into_body)
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
        assert!(matches!(waiting.0.answer.get(), Some(None)));
        drop(first(attempts.claim(key(1), now)));
    }

    #[tokio::test]
    async fn who_waits_is_told_how_it_ended() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        for answer in [None, Some("hello")] {
            let reply = first(attempts.claim(key(1), now));
            let waiting = [(); 2].map(|()| again(attempts.claim(key(1), now)));
            let ended = async {
                tokio::task::yield_now().await;
                match answer {
                    Some(answer) => reply.give(Response::new(Bytes::from(answer))),
                    None => drop(reply),
                }
            };
            let [one, two] = &waiting;
            let ((), one, two) = tokio::join!(ended, one.given(), two.given());
            for given in [one, two, waiting[0].given().await] {
                assert_eq!(given.map(Response::into_body), answer.map(Bytes::from));
            }
        }
    }

    #[test]
    #[allow(clippy::mutable_key_type)] // What is hashed and compared never changes.
    fn requests_of_one_hash_are_told_apart() {
        let mut known = HashSet::new();
        assert!(known.insert(Once::new(key(1), 7)) && known.insert(Once::new(key(2), 7)));
        assert!(!known.insert(Once::new(key(1), 7)));
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
