//! What waits in which lane; the callbacks themselves are on disk.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Callbacks that wait at most.
const MAX_COUNT: usize = 10_000;

/// Callbacks that are asked at a time.
const MAX_BUSY: usize = 32;

/// The first and the longest wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// Lanes and what waits in them.
#[derive(Debug)]
pub(super) struct Index {
    lanes: HashMap<String, Lane>,
    last_seq: u64,
    count: usize,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Lane {
    /// By their place in the order.
    waiting: BTreeMap<u64, Entry>,
    is_busy: bool,
    /// Taken from the queue, not asked at once.
    is_redelivery: bool,
    failures: u32,
    due: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    time_ms: u64,
    size: usize,
    /// Whether it is on disk by now.
    is_ready: bool,
}

impl Index {
    /// Empty; places in the order are counted from here.
    pub(super) fn new(max_bytes: usize, last_seq: u64) -> Self {
        Self { lanes: HashMap::new(), last_seq, count: 0, bytes: 0, max_bytes }
    }

    pub(super) fn next_seq(&mut self) -> u64 {
        self.last_seq += 1;
        self.last_seq
    }

    /// Takes a lane in which nothing waits or is asked; gives its callback's place in the order.
    pub(super) fn claim(&mut self, name: &str) -> Option<u64> {
        if self.lanes.contains_key(name) {
            return None;
        }
        self.lanes.insert(name.to_owned(), Lane { is_busy: true, ..Lane::default() });
        Some(self.next_seq())
    }

    /// Makes room for a callback; `false` if there is none.
    pub(super) fn reserve(&mut self, lane: &str, seq: u64, time_ms: u64, size: usize) -> bool {
        if self.count >= MAX_COUNT || self.bytes.saturating_add(size) > self.max_bytes {
            return false;
        }
        self.insert(lane, seq, Entry { time_ms, size, is_ready: false });
        true
    }

    /// A callback that was on disk before.
    pub(super) fn restore(&mut self, lane: &str, seq: u64, time_ms: u64, size: usize) {
        self.last_seq = self.last_seq.max(seq);
        self.insert(lane, seq, Entry { time_ms, size, is_ready: true });
    }

    fn insert(&mut self, lane: &str, seq: u64, entry: Entry) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(entry.size);
        self.lanes.entry(lane.to_owned()).or_default().waiting.insert(seq, entry);
    }

    /// It is on disk.
    pub(super) fn ready(&mut self, lane: &str, seq: u64) {
        if let Some(entry) = self.lanes.get_mut(lane).and_then(|lane| lane.waiting.get_mut(&seq)) {
            entry.is_ready = true;
        }
    }

    pub(super) fn remove(&mut self, name: &str, seq: u64) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        if let Some(entry) = lane.waiting.remove(&seq) {
            self.count -= 1;
            self.bytes = self.bytes.saturating_sub(entry.size);
        }
        if lane.waiting.is_empty() && !lane.is_busy {
            self.lanes.remove(name);
        }
    }

    /// Takes the lane whose first callback is due, if not too many are asked already.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(String, u64)> {
        if self.lanes.values().filter(|lane| lane.is_redelivery).count() >= MAX_BUSY {
            return None;
        }
        let due = self
            .lanes
            .iter_mut()
            .filter(|(_, lane)| !lane.is_busy && lane.due.is_none_or(|due| due <= now));
        let first = |(name, lane): (&String, &mut Lane)| {
            let (seq, entry) = lane.waiting.first_key_value()?;
            entry.is_ready.then(|| (*seq, name.clone()))
        };
        let (seq, name) = due.filter_map(first).min()?;
        let lane = self.lanes.get_mut(&name)?;
        lane.is_busy = true;
        lane.is_redelivery = true;
        Some((name, seq))
    }

    /// How often the lane failed since it succeeded.
    pub(super) fn failures(&self, name: &str) -> u32 {
        self.lanes.get(name).map_or(0, |lane| lane.failures)
    }

    /// The callback that was asked in this lane was taken.
    pub(super) fn succeeded(&mut self, name: &str) {
        if let Some(lane) = self.lanes.get_mut(name) {
            (lane.failures, lane.due) = (0, None);
            lane.is_busy = false;
        }
    }

    /// The lane is free; if it was not said that it succeeded, it failed.
    pub(super) fn release(&mut self, name: &str, now: Instant) {
        let Some(lane) = self.lanes.get_mut(name) else { return };
        if lane.is_busy {
            let wait = FIRST_WAIT.saturating_mul(1 << lane.failures.min(16)).min(LONGEST_WAIT);
            lane.due = Some(now + wait);
            lane.failures = lane.failures.saturating_add(1);
        }
        (lane.is_busy, lane.is_redelivery) = (false, false);
        if lane.waiting.is_empty() {
            self.lanes.remove(name);
        }
    }

    /// Removes what is older than `before_ms` and not being asked; gives their places.
    pub(super) fn expire(&mut self, before_ms: u64) -> Vec<u64> {
        let idle = self.lanes.iter().filter(|(_, lane)| !lane.is_busy);
        let old: Vec<(String, u64)> = idle
            .flat_map(|(name, lane)| lane.waiting.iter().map(move |entry| (name, entry)))
            .filter(|(_, (_, entry))| entry.is_ready && entry.time_ms < before_ms)
            .map(|(name, (seq, _))| (name.clone(), *seq))
            .collect();
        for (name, seq) in &old {
            self.remove(name, *seq);
        }
        old.into_iter().map(|(_, seq)| seq).collect()
    }

    /// Forgets all that is on disk; gives how many.
    pub(super) fn forget(&mut self) -> usize {
        let stored = |(name, lane): (&String, &Lane)| {
            let ready = lane.waiting.iter().filter(|(_, entry)| entry.is_ready);
            ready.map(|(seq, _)| (name.clone(), *seq)).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.lanes.iter().flat_map(stored).collect();
        for (name, seq) in &all {
            self.remove(name, *seq);
        }
        all.len()
    }

    /// Whether a quarter of the room is free.
    pub(super) fn is_roomy(&self) -> bool {
        self.count < MAX_COUNT / 4 * 3 && self.bytes < self.max_bytes / 4 * 3
    }

    /// How many wait, and since when the oldest.
    pub(super) fn standing(&self) -> (usize, Option<u64>) {
        let all = self.lanes.values().flat_map(|lane| lane.waiting.values());
        (self.count, all.map(|entry| entry.time_ms).min())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backs_off_from_a_second_to_five_minutes() {
        let (mut index, now) = (Index::new(1000, 0), Instant::now());
        index.restore("CA1", 1, 0, 10);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            index.lanes.get_mut("CA1").unwrap().due = None;
            assert!(index.take_due(now).is_some());
            index.release("CA1", now);
            let due = Some(now + Duration::from_secs(seconds));
            assert_eq!(index.lanes["CA1"].due, due, "{seconds} s");
        }
    }

    #[test]
    fn number_and_bytes_are_bounded() {
        let mut index = Index::new(100, 0);
        assert!(index.reserve("a", 1, 0, 60));
        assert!(!index.reserve("b", 2, 0, 60));
        index.remove("a", 1);
        assert!(index.reserve("b", 2, 0, 60));
        let mut index = Index::new(usize::MAX, 0);
        let room = (0..MAX_COUNT as u64 + 5).filter(|seq| index.reserve("a", *seq, 0, 1)).count();
        assert_eq!(room, MAX_COUNT);
    }

    #[test]
    fn what_is_too_old_is_given_up_but_not_while_it_is_asked() {
        let (mut index, now) = (Index::new(1000, 0), Instant::now());
        index.restore("asked", 1, 5, 10);
        assert_eq!(index.take_due(now), Some(("asked".to_owned(), 1)));
        index.restore("old", 2, 5, 10);
        index.restore("new", 3, 50, 10);
        assert_eq!(index.expire(10), [2]);
        assert_eq!(index.standing(), (2, Some(5)));
    }

    proptest! {
        /// Whatever comes, fails and succeeds: each lane's callbacks are taken in their order, one
        /// at a time, and the counts hold.
        #[test]
        fn a_lane_keeps_its_order(steps in prop::collection::vec((0..4u8, 0..3usize), 1..200)) {
            let names = ["a", "b", "c"];
            let (mut index, mut now) = (Index::new(usize::MAX, 0), Instant::now());
            let mut arrived = vec![Vec::new(); 3];
            let mut taken = vec![Vec::new(); 3];
            let mut asked: HashMap<usize, u64> = HashMap::new();
            for (step, lane) in steps {
                let name = names[lane];
                match step {
                    0 => {
                        let seq = index.next_seq();
                        prop_assert!(index.reserve(name, seq, 0, 1));
                        index.ready(name, seq);
                        arrived[lane].push(seq);
                    }
                    1 => {
                        now += LONGEST_WAIT;
                        if let Some((name, seq)) = index.take_due(now) {
                            let lane = names.iter().position(|own| *own == name).unwrap();
                            prop_assert!(asked.insert(lane, seq).is_none(), "two at a time");
                        }
                    }
                    2 => if let Some(seq) = asked.remove(&lane) {
                        index.remove(name, seq);
                        index.succeeded(name);
                        index.release(name, now);
                        taken[lane].push(seq);
                    },
                    _ => if asked.remove(&lane).is_some() {
                        index.release(name, now);
                    },
                }
            }
            let mut left = 0;
            for lane in 0..3 {
                prop_assert_eq!(&taken[lane][..], &arrived[lane][..taken[lane].len()]);
                left += arrived[lane].len() - taken[lane].len();
            }
            prop_assert_eq!(index.standing().0, left);
        }
    }
}
