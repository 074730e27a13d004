//! The call-loop rule: how many fallbacks that steer a call it was given already.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

/// Calls that are remembered at most; the oldest are forgotten first.
const MAX_CALLS: usize = 10_000;

/// Twilio's own bound on the length of a call (Twilio docs, `<Dial timeLimit>`: 4 hours).
const MAX_AGE: Duration = Duration::from_hours(4);

/// Longest CallSid that is kept; real ones have 34 characters.
const MAX_SID: usize = 64;

/// Steering fallbacks per call, bounded in number and age.
#[derive(Debug, Default)]
pub(super) struct Steering(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    given: HashMap<Box<str>, u32, RandomState>,
    by_age: VecDeque<(Instant, Box<str>)>,
}

impl Steering {
    /// How many fallbacks with Redirect, Gather or Dial this call was given.
    pub(super) fn given(&self, call_sid: &str) -> u32 {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.given.get(call_sid).copied().unwrap_or(0)
    }

    /// Notes that this call was given one more. An overlong sid is nobody's call and not kept.
    pub(super) fn note(&self, call_sid: &str, now: Instant) {
        if call_sid.is_empty() || call_sid.len() > MAX_SID {
            return;
        }
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.forget_old(now);
        if let Some(count) = calls.given.get_mut(call_sid) {
            *count = count.saturating_add(1);
            return;
        }
        calls.given.insert(call_sid.into(), 1);
        calls.by_age.push_back((now, call_sid.into()));
    }
}

impl Calls {
    fn forget_old(&mut self, now: Instant) {
        while let Some((since, _)) = self.by_age.front() {
            let old = now.saturating_duration_since(*since) > MAX_AGE;
            if !old && self.by_age.len() < MAX_CALLS {
                return;
            }
            if let Some((_, sid)) = self.by_age.pop_front() {
                self.given.remove(&sid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_per_call() {
        let (steering, now) = (Steering::default(), Instant::now());
        steering.note("CA01", now);
        steering.note("CA01", now);
        steering.note("CA02", now);
        assert_eq!(
            [steering.given("CA01"), steering.given("CA02"), steering.given("CA03")],
            [2, 1, 0]
        );
    }

    #[test]
    fn forgets_by_age_and_by_number() {
        let (steering, now) = (Steering::default(), Instant::now());
        steering.note("old", now);
        steering.note("new", now + MAX_AGE + Duration::from_secs(1));
        assert_eq!([steering.given("old"), steering.given("new")], [0, 1]);
        for n in 0..MAX_CALLS + 10 {
            steering.note(&format!("CA{n}"), now + MAX_AGE);
        }
        let calls = steering.0.lock().unwrap();
        assert_eq!((calls.given.len(), calls.by_age.len()), (MAX_CALLS, MAX_CALLS));
    }

    #[test]
    fn nothing_overlong_is_kept() {
        let steering = Steering::default();
        steering.note(&"x".repeat(MAX_SID + 1), Instant::now());
        assert!(steering.0.lock().unwrap().given.is_empty());
    }
}
