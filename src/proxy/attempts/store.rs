//! Which attempts are being answered, and which were a moment ago.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use tokio::sync::Notify;

use super::kept::Kept;
use super::key::{Key, Keys};

/// How long an answer is given again. Twilio gives a request 15 s in all, retries included
/// (Twilio docs, connection overrides): twice that.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Attempts that are known at a time.
const MAX_ATTEMPTS: usize = 10_000;

/// Bytes of answers that are kept.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What an answer takes beside itself, about: its key twice, and its place by age.
const BESIDE_BYTES: usize = 256;

/// A request that is answered once, however often it is sent.
#[derive(Debug, Default)]
struct Once {
    /// The answer, once there is one; `None` where its attempt broke down.
    answer: OnceLock<Option<Kept>>,
    /// The same as it was given, for the first who takes it; boxed, since it is soon gone.
    given: Mutex<Option<Box<Response<Bytes>>>>,
    is_over: Notify,
}

impl Once {
    /// The first to say so says how it ended.
    fn end(&self, answer: Option<Kept>) {
        if self.answer.set(answer).is_ok() {
            self.is_over.notify_waiters();
        }
    }

    fn given(&self) -> MutexGuard<'_, Option<Box<Response<Bytes>>>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of an attempt that may still run.
#[derive(Debug)]
pub(super) struct Pending(Arc<Once>);

impl Pending {
    /// The answer, if there is one yet.
    pub(super) fn now(&self) -> Option<Response<Bytes>> {
        let kept = self.0.answer.get()?.as_ref()?;
        let given = self.0.given().take();
        Some(given.map_or_else(|| kept.answer(), |given| *given))
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
    pub(super) keys: Keys,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<Key, Arc<Once>, foldhash::fast::RandomState>,
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
        self.sweep(now);
        let mut state = self.lock();
        if let Some(known) = state.known.get(&key) {
            return Claim::Again(Pending(Arc::clone(known)));
        }
        let once = Arc::<Once>::default();
        if state.known.len() >= MAX_ATTEMPTS && state.forget_oldest().is_none() {
            // All of them still run: this one goes without.
            return Claim::First(Reply { once, shared: None });
        }
        state.known.insert(key, Arc::clone(&once));
        Claim::First(Reply { once, shared: Some((Arc::clone(self), key)) })
    }

    /// Forgets the answers that are too old.
    pub(in crate::proxy) fn sweep(&self, now: Instant) {
        let forgotten = self.lock().forget_old(now);
        // Freed while nobody waits for the lock.
        drop(forgotten);
    }

    fn answered(&self, key: Key, answer: usize, now: Instant) {
        let size = answer.saturating_add(BESIDE_BYTES);
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_add(size);
        state.answered.push_back((now, key, size));
        while state.bytes > MAX_BYTES && state.forget_oldest().is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, State> {
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
        let (_, key, size) = self.answered.pop_front()?;
        self.bytes = self.bytes.saturating_sub(size);
        self.known.remove(&key)
    }
}

/// Where the answer to a first attempt goes. Dropped without one, its waiters learn that.
#[derive(Debug)]
pub(in crate::proxy) struct Reply {
    once: Arc<Once>,
    /// Where others may join it.
    shared: Option<(Arc<Attempts>, Key)>,
}

impl Reply {
    /// For a request that no other is joined to.
    pub(super) fn unshared() -> Self {
        Self { once: Arc::default(), shared: None }
    }

    /// Where the answer appears.
    pub(super) fn pending(&self) -> Pending {
        Pending(Arc::clone(&self.once))
    }

    /// Gives the answer to all who wait, and to those who come within 30 s.
    pub(in crate::proxy) fn give(mut self, mut answer: Response<Bytes>) {
        let kept = Kept::of(&mut answer);
        if let Some((attempts, key)) = self.shared.take() {
            attempts.answered(key, kept.size(), Instant::now());
        }
        *self.once.given() = Some(Box::new(answer));
        self.once.end(Some(kept));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some((attempts, key)) = self.shared.take() {
            attempts.lock().known.remove(&key);
        }
        self.once.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let reply = first(attempts.claim(attempts.keys.numbered(1), now));
        let waiting = again(attempts.claim(attempts.keys.numbered(1), now));
        assert_eq!(body(&waiting), None);
        reply.give(Response::new(Bytes::from_static(b"hello")));
        assert_eq!(body(&waiting).unwrap(), "hello");
        let later = Instant::now() + Duration::from_secs(29);
        assert_eq!(
            body(&again(attempts.claim(attempts.keys.numbered(1), later))).unwrap(),
            "hello"
        );
        drop(first(attempts.claim(attempts.keys.numbered(2), later)));
        let too_late = Instant::now() + Duration::from_secs(31);
        drop(first(attempts.claim(attempts.keys.numbered(1), too_late)));
        assert_eq!(attempts.lock().bytes, 0);
    }

    #[test]
    fn an_attempt_that_runs_is_known_however_long_it_takes() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let _reply = first(attempts.claim(attempts.keys.numbered(1), now));
        let later = now + Duration::from_hours(1);
        attempts.sweep(later);
        again(attempts.claim(attempts.keys.numbered(1), later));
    }

    #[test]
    fn one_that_breaks_down_tells_its_waiters_and_is_forgotten() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let reply = first(attempts.claim(attempts.keys.numbered(1), now));
        let waiting = again(attempts.claim(attempts.keys.numbered(1), now));
        drop(reply);
        assert!(matches!(waiting.0.answer.get(), Some(None)));
        drop(first(attempts.claim(attempts.keys.numbered(1), now)));
    }

    #[tokio::test]
    async fn who_waits_is_told_how_it_ended() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        for answer in [None, Some("hello")] {
            let reply = first(attempts.claim(attempts.keys.numbered(1), now));
            let waiting = [(); 2].map(|()| again(attempts.claim(attempts.keys.numbered(1), now)));
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
    fn the_number_is_bounded_and_running_ones_stay() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        first(attempts.claim(attempts.keys.numbered(0), now)).give(Response::default());
        let running: Vec<_> =
            (1..=MAX_ATTEMPTS).map(|n| attempts.claim(attempts.keys.numbered(n), now)).collect();
        assert_eq!(attempts.lock().known.len(), MAX_ATTEMPTS);
        // The one that was answered made room; now there is none.
        assert!(first(attempts.claim(attempts.keys.numbered(0), now)).shared.is_none());
        assert_eq!(attempts.lock().known.len(), MAX_ATTEMPTS);
        drop(running);
        assert!(attempts.lock().known.is_empty());
    }

    #[test]
    fn the_bytes_are_bounded() {
        let (attempts, now) = (Arc::<Attempts>::default(), Instant::now());
        let large = Bytes::from(vec![0; MAX_BYTES / 4]);
        for n in 0..10 {
            first(attempts.claim(attempts.keys.numbered(n), now))
                .give(Response::new(large.clone()));
            assert!(attempts.lock().bytes <= MAX_BYTES);
        }
        again(attempts.claim(attempts.keys.numbered(9), now));
        drop(first(attempts.claim(attempts.keys.numbered(0), now)));
    }
}
