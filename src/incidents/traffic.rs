//! What became of all answers, good ones too: counted per route on the request path, without a
//! lock, and taken once a while by whoever writes.

// Durations and their counts are far below what an f64 tells apart.
#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

/// Buckets of [`Durations`]: the upper bound of bucket `n` is 2^(n/4) ms; the last holds the rest.
const BUCKETS: usize = 64;

/// What became of the answers of one route in one minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Minutes since the Unix epoch.
    pub minute: u64,
    /// The route's name.
    pub route: String,
    /// Answers left as they were.
    pub untouched: u64,
    /// Answers mended.
    pub repaired: u64,
    /// Answers replaced by a fallback.
    pub replaced: u64,
    /// Answers replaced by a 502.
    pub failed: u64,
    /// Answers left as they were although enforcing would not have: observe mode.
    pub would_have: u64,
    /// How long the backend took.
    #[serde(skip)]
    pub upstream: Durations,
}

impl Traffic {
    /// All answers.
    pub fn answers(&self) -> u64 {
        self.untouched + self.repaired + self.replaced + self.failed + self.would_have
    }

    /// Adds another minute's, or another route's.
    pub fn add(&mut self, other: &Self) {
        self.untouched += other.untouched;
        self.repaired += other.repaired;
        self.replaced += other.replaced;
        self.failed += other.failed;
        self.would_have += other.would_have;
        self.upstream.add(&other.upstream);
    }
}

/// A histogram of durations, exact to 19 %.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durations([u64; BUCKETS]);

impl Default for Durations {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Durations {
    /// Counts one.
    pub fn note(&mut self, duration: Duration) {
        if let Some(bucket) = self.0.get_mut(bucket(duration)) {
            *bucket += 1;
        }
    }

    /// Adds all of another one.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own += other;
        }
    }

    /// The upper bound in milliseconds of the bucket that this part (0 to 1) of all durations stays
    /// under; `None` where there are none.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let all: u64 = self.0.iter().sum();
        if all == 0 {
            return None;
        }
        let mut seen = 0;
        for (at, count) in self.0.iter().enumerate() {
            seen += count;
            if seen as f64 >= part * all as f64 {
                return Some(bound(at).round() as u64);
            }
        }
        None
    }

    /// The filled buckets, as bytes: number, then count (little endian) each.
    pub fn to_blob(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        for (at, count) in (0_u8..).zip(self.0).filter(|(_, count)| *count > 0) {
            blob.push(at);
            blob.extend(count.to_le_bytes());
        }
        blob
    }

    /// The other way round; bytes that are no such thing count as nothing.
    pub fn from_blob(blob: &[u8]) -> Self {
        let mut durations = Self::default();
        for entry in blob.chunks_exact(9) {
            if let (Some(own), Ok(count)) =
                (durations.0.get_mut(usize::from(entry[0])), entry[1..].try_into())
            {
                *own = u64::from_le_bytes(count);
            }
        }
        durations
    }
}

fn bucket(duration: Duration) -> usize {
    let ms = duration.as_secs_f64() * 1_000.0;
    if ms <= 1.0 { 0 } else { ((ms.log2() * 4.0).ceil() as usize).min(BUCKETS - 1) }
}

fn bound(bucket: usize) -> f64 {
    (bucket as f64 / 4.0).exp2()
}

/// What became of an answer, as far as it is counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A 502.
    Failed,
    /// Mended.
    Repaired,
    /// A fallback.
    Replaced,
    /// Left as it was.
    Untouched,
    /// Left as it was in observe mode.
    WouldHave,
}

/// Counters of every route; made when the configuration is loaded.
#[derive(Debug, Default)]
pub struct Board(HashMap<String, Counters, RandomState>);

#[derive(Debug)]
struct Counters {
    outcomes: [AtomicU64; 5],
    upstream: [AtomicU64; BUCKETS],
}

impl Default for Counters {
    fn default() -> Self {
        Self { outcomes: Default::default(), upstream: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Board {
    /// Counters at 0 for routes of these names; doubles share theirs.
    pub fn new<'n>(routes: impl IntoIterator<Item = &'n str>) -> Self {
        Self(routes.into_iter().map(|name| (name.to_owned(), Counters::default())).collect())
    }

    /// Counts one answer. A route that is not on the board counts nowhere.
    pub fn note(&self, route: &str, counted: Counted, upstream: Duration) {
        let Some(counters) = self.0.get(route) else { return };
        if let Some(counter) = counters.outcomes.get(counted as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(counter) = counters.upstream.get(bucket(upstream)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what was counted since it was taken last; routes without answers are left out.
    pub fn take(&self, minute: u64) -> Vec<Traffic> {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let mut all: Vec<Traffic> = self
            .0
            .iter()
            .map(|(route, counters)| {
                let [failed, repaired, replaced, untouched, would_have] =
                    std::array::from_fn(|at| counters.outcomes.get(at).map_or(0, take));
                let mut upstream = Durations::default();
                for (own, counter) in upstream.0.iter_mut().zip(&counters.upstream) {
                    *own = take(counter);
                }
                let route = route.clone();
                Traffic {
                    minute,
                    route,
                    untouched,
                    repaired,
                    replaced,
                    failed,
                    would_have,
                    upstream,
                }
            })
            .filter(|traffic| traffic.answers() > 0)
            .collect();
        all.sort_by(|one, other| one.route.cmp(&other.route));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close_from_above() {
        let mut durations = Durations::default();
        for ms in 1..=1_000 {
            durations.note(Duration::from_millis(ms));
        }
        for (part, exact) in [(0.5, 500.0), (0.99, 990.0)] {
            let found = durations.quantile(part).unwrap() as f64;
            assert!((exact..exact * 1.2).contains(&found), "{part}: {found}");
        }
        assert_eq!(Durations::default().quantile(0.5), None);
        assert_eq!(Durations::from_blob(&durations.to_blob()), durations);
        assert_eq!(Durations::from_blob(b"nonsense!!"), Durations::from_blob(b"nonsense!"));
    }

    #[test]
    fn what_was_counted_is_taken_once() {
        let board = Board::new(["/voice", "/sms", "/voice"]);
        board.note("/voice", Counted::Untouched, Duration::from_millis(3));
        board.note("/voice", Counted::WouldHave, Duration::from_secs(3));
        board.note("/nowhere", Counted::Failed, Duration::ZERO);
        let taken = board.take(7);
        assert_eq!(taken.len(), 1);
        let voice = &taken[0];
        assert_eq!((voice.untouched, voice.would_have, voice.failed), (1, 1, 0));
        assert_eq!((voice.minute, voice.upstream.quantile(0.5)), (7, Some(3)));
        assert!(board.take(8).is_empty());
    }
}
