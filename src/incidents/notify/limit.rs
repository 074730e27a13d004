//! How many messages are posted: pure, with a steady clock that goes in.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use super::Notice;
use crate::incidents::outbreak::Change;

/// In this time so many messages are posted, and the same change of the same outbreak once.
const WINDOW: Duration = Duration::from_mins(1);
/// Notices that wait; of more the oldest are held back.
const MOST_WAITING: usize = 100;
/// A notice that waited for longer is held back, unless it is the newest.
pub(super) const MAX_AGE: Duration = Duration::from_mins(15);

/// Decides what is posted when. What is held back is counted, and told with the next message.
#[derive(Debug)]
pub(super) struct Limiter {
    per_minute: usize,
    /// When the messages of the last minute were taken.
    taken: VecDeque<Duration>,
    /// By outbreak and change, likewise.
    recent: HashMap<(Uuid, Change), Duration>,
    waiting: VecDeque<(Notice, Duration)>,
    /// Held back or lost since the last message.
    held: u64,
    /// Of those held back, the ones that nobody counted yet.
    uncounted: u64,
}

impl Limiter {
    pub(super) fn new(per_minute: usize) -> Self {
        let (taken, recent, waiting) = Default::default();
        Self { per_minute, taken, recent, waiting, held: 0, uncounted: 0 }
    }

    /// Adds a notice; one that waits for the same outbreak has nothing to add to it.
    pub(super) fn offer(&mut self, notice: Notice, now: Duration) {
        let before = self.waiting.len();
        self.waiting.retain(|(other, _)| other.outbreak.id != notice.outbreak.id);
        self.waiting.push_back((notice, now));
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
        }
        self.hold((before + 1).saturating_sub(self.waiting.len()));
    }

    fn hold(&mut self, count: usize) {
        self.held += count as u64;
        self.uncounted += count as u64;
    }

    /// How many were held back since this was asked last.
    pub(super) fn held_back(&mut self) -> u64 {
        std::mem::take(&mut self.uncounted)
    }

    /// Counts messages that were lost elsewhere as held back.
    pub(super) fn lost(&mut self, count: u64) {
        self.held += count;
    }

    /// The notice to be posted now, if any, and how many were held back before it.
    pub(super) fn take(&mut self, now: Duration) -> Option<(Notice, u64)> {
        self.forget(now);
        while self.waiting.len() > 1 && (self.taken.len() >= self.per_minute || self.is_old(now)) {
            self.waiting.pop_front();
            self.hold(1);
        }
        if self.taken.len() >= self.per_minute {
            return None;
        }
        let at =
            self.waiting.iter().position(|(notice, _)| !self.recent.contains_key(&key(notice)))?;
        let (notice, _) = self.waiting.remove(at)?;
        self.taken.push_back(now);
        self.recent.insert(key(&notice), now);
        Some((notice, std::mem::take(&mut self.held)))
    }

    /// How long until `take` may give something; `None` while nothing waits.
    pub(super) fn due(&self, now: Duration) -> Option<Duration> {
        let is_full = self.taken.len() >= self.per_minute;
        if is_full && self.waiting.len() > 1 {
            // What can't be posted is held back, and counted, at once.
            return Some(Duration::ZERO);
        }
        let of_all = match self.taken.front() {
            Some(&first) if is_full => first + WINDOW,
            _ => Duration::ZERO,
        };
        let of_one = self.waiting.iter().map(|(notice, _)| {
            self.recent.get(&key(notice)).map_or(Duration::ZERO, |&taken| taken + WINDOW)
        });
        Some(of_one.min()?.max(of_all).saturating_sub(now))
    }

    fn is_old(&self, now: Duration) -> bool {
        self.waiting.front().is_some_and(|(_, since)| now.saturating_sub(*since) > MAX_AGE)
    }

    fn forget(&mut self, now: Duration) {
        let is_past = |taken: &Duration| now.saturating_sub(*taken) >= WINDOW;
        while self.taken.front().is_some_and(is_past) {
            self.taken.pop_front();
        }
        self.recent.retain(|_, taken| !is_past(taken));
    }
}

fn key(notice: &Notice) -> (Uuid, Change) {
    (notice.outbreak.id, notice.change)
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::notice;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn drain(limiter: &mut Limiter, now: Duration) -> Vec<(u128, u64)> {
        std::iter::from_fn(|| limiter.take(now))
            .map(|(notice, held)| (notice.outbreak.id.as_u128(), held))
            .collect()
    }

    #[test]
    fn a_flood_is_cut_and_the_next_message_tells_of_it() {
        let mut limiter = Limiter::new(3);
        for id in 0..50 {
            limiter.offer(notice(Change::Opened, id), SECOND);
        }
        assert_eq!(drain(&mut limiter, SECOND), [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(limiter.due(SECOND * 11), Some(SECOND * 50));
        assert_eq!(drain(&mut limiter, SECOND * 60), []);
        assert_eq!(drain(&mut limiter, SECOND * 61), [(49, 46)]);
        assert_eq!(limiter.due(SECOND * 61), None);
    }

    #[test]
    fn what_is_held_back_is_counted_at_once() {
        let mut limiter = Limiter::new(1);
        for id in 0..5 {
            limiter.offer(notice(Change::Opened, id), SECOND);
        }
        assert!(limiter.take(SECOND).is_some());
        assert_eq!(limiter.due(SECOND), Some(Duration::ZERO));
        assert!(limiter.take(SECOND).is_none());
        assert_eq!((limiter.held_back(), limiter.due(SECOND)), (3, Some(SECOND * 60)));
    }

    #[test]
    fn one_outbreak_is_told_of_once_a_minute_for_each_change() {
        let mut limiter = Limiter::new(10);
        for change in [Change::Opened, Change::Closed, Change::Opened, Change::Closed] {
            limiter.offer(notice(change, 7), SECOND);
            drain(&mut limiter, SECOND);
        }
        assert_eq!(limiter.due(SECOND), Some(SECOND * 60));
        limiter.offer(notice(Change::Opened, 8), SECOND * 2);
        assert_eq!(drain(&mut limiter, SECOND * 2), [(8, 1)]);
        assert_eq!(drain(&mut limiter, SECOND * 61), [(7, 0)]);
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_age_but_for_the_newest() {
        let mut limiter = Limiter::new(600);
        for id in 0..150 {
            limiter.offer(notice(Change::Opened, id), SECOND);
        }
        assert_eq!((limiter.held_back(), limiter.held_back()), (50, 0));
        let late = SECOND * 2 + MAX_AGE;
        assert_eq!(drain(&mut limiter, late), [(149, 149)]);
    }
}
