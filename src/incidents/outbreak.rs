//! Outbreaks: incidents of the same cause on the same route, grouped over time.
//!
//! Pure: times go in, changes come out. Wall time is only noted; what is quiet is measured with a
//! steady clock, so that a clock that jumps neither opens nor closes anything.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Distinct callers that are told apart in one outbreak; more count as this many.
pub const MAX_CALLERS: usize = 10_000;
/// Outbreaks that are remembered, open and closed.
const MAX_OUTBREAKS: usize = 2_000;
/// Whole records kept of an outbreak from its start.
const FIRST_WHOLE: u32 = 5;
/// Whole records kept of an outbreak because their answer is a new one.
const MAX_NEW: u32 = 50;
/// After that one in this time.
const SAMPLE: Duration = Duration::from_mins(1);

/// One outbreak, as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbreak {
    /// UUIDv7 of its opening.
    pub id: Uuid,
    /// The route's name.
    pub route: String,
    /// The cause that its incidents are counted under.
    pub cause: String,
    /// Twilio's codes of its latest incident.
    pub codes: Vec<u32>,
    /// Its first incident, milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Its latest incident.
    pub last_ms: u64,
    /// When it was found quiet; `None` while it is open.
    pub closed_ms: Option<u64>,
    /// How often it returned.
    pub reopened: u32,
    /// Its incidents.
    pub count: u64,
    /// Its distinct callers, as far as 10,000.
    pub callers: u64,
    /// Of its incidents, those that were only observed.
    pub observed: u64,
    /// The line that blames, of its latest incident, without what the backend said.
    pub summary: Option<String>,
}

/// What an incident adds to its outbreak.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'s> {
    /// The route's name.
    pub route: &'s str,
    /// The first cause.
    pub cause: &'s str,
    /// Twilio's codes.
    pub codes: &'s [u32],
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Keyed hash of the caller, where one is known.
    pub caller: Option<u64>,
    /// Whether it was only observed.
    pub observe: bool,
    /// Hash of what the backend answered.
    pub answer: u64,
    /// The line that blames, without what the backend said.
    pub summary: &'s str,
}

/// What an incident changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The outbreak that it belongs to, after it.
    pub outbreak: Outbreak,
    /// Whether its caller is new to the outbreak.
    pub new_caller: bool,
    /// Whether the whole record is worth keeping.
    pub whole: bool,
    /// What somebody may want to be told.
    pub change: Option<Change>,
}

/// What somebody may want to be told of an outbreak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It began.
    Opened,
    /// It was quiet, and returned.
    Reopened,
    /// It has ten times the incidents that were told of last.
    Grew,
    /// It has been quiet for the configured time.
    Closed,
}

impl Change {
    /// Its name in metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Grew => "grew",
            Self::Closed => "closed",
        }
    }
}

/// An outbreak of an earlier run, with the callers that it had.
pub type Earlier = (Outbreak, HashSet<u64>);

/// Follows outbreaks.
#[derive(Debug)]
pub struct Outbreaks {
    quiet: Duration,
    live: HashMap<(String, String), Live>,
}

#[derive(Debug)]
struct Live {
    outbreak: Outbreak,
    /// Steady time of its latest incident.
    last: Duration,
    callers: HashSet<u64>,
    answers: HashSet<u64>,
    whole: u32,
    last_whole: Duration,
    /// At which count growth is told next.
    next_told: u64,
}

impl Live {
    fn new(outbreak: Outbreak, last: Duration, callers: HashSet<u64>) -> Self {
        let next_told = next_decade(outbreak.count);
        Self {
            outbreak,
            last,
            callers,
            answers: HashSet::new(),
            whole: 0,
            last_whole: Duration::ZERO,
            next_told,
        }
    }

    /// Whether this incident's record is worth keeping whole, counted as kept if so.
    fn keeps_whole(&mut self, answer: u64, now: Duration) -> bool {
        let new = self.whole < MAX_NEW && self.answers.insert(answer);
        let keep = self.whole < FIRST_WHOLE || new || now.saturating_sub(self.last_whole) >= SAMPLE;
        if keep {
            self.whole += 1;
            self.last_whole = now;
        }
        keep
    }
}

impl Outbreaks {
    /// None yet; one closes after `quiet` without an incident.
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, live: HashMap::new() }
    }

    /// Goes on with outbreaks of an earlier run. `now`: steady time; `now_ms`: wall time. Two guards
    /// that ran side by side may both have opened one: gives the one that was quiet for longer, closed.
    pub fn restore(
        &mut self,
        earlier: impl IntoIterator<Item = Earlier>,
        now: Duration,
        now_ms: u64,
    ) -> Vec<Outbreak> {
        let mut doubled = Vec::new();
        for (outbreak, callers) in earlier.into_iter().take(MAX_OUTBREAKS) {
            let key = (outbreak.route.clone(), outbreak.cause.clone());
            // A clock that was set back since makes nothing older than it is.
            let age = Duration::from_millis(now_ms.saturating_sub(outbreak.last_ms));
            let last = now.saturating_sub(age.min(self.quiet));
            let known = self.live.get(&key).map(|live| live.outbreak.last_ms);
            let other = if known.is_none_or(|known| known <= outbreak.last_ms) {
                self.live.insert(key, Live::new(outbreak, last, callers)).map(|live| live.outbreak)
            } else {
                Some(outbreak)
            };
            doubled.extend(other.filter(|other| other.closed_ms.is_none()).map(|other| {
                let closed_ms = Some(other.last_ms);
                Outbreak { closed_ms, ..other }
            }));
        }
        doubled
    }

    /// Adds an incident. `now`: steady time, never going back.
    pub fn note(&mut self, seen: &Seen<'_>, now: Duration, new_id: impl FnOnce() -> Uuid) -> Noted {
        let key = (seen.route.to_owned(), seen.cause.to_owned());
        let is_new = !self.live.contains_key(&key);
        if is_new {
            self.make_room();
        }
        let live = self.live.entry(key).or_insert_with(|| {
            let outbreak = Outbreak {
                id: new_id(),
                route: seen.route.to_owned(),
                cause: seen.cause.to_owned(),
                codes: Vec::new(),
                since_ms: seen.time_ms,
                last_ms: seen.time_ms,
                closed_ms: None,
                reopened: 0,
                count: 0,
                callers: 0,
                observed: 0,
                summary: None,
            };
            Live::new(outbreak, now, HashSet::new())
        });
        let mut change = is_new.then_some(Change::Opened);
        if live.outbreak.closed_ms.take().is_some() {
            live.outbreak.reopened += 1;
            live.whole = 0;
            live.answers.clear();
            live.next_told = next_decade(live.outbreak.count + 1);
            change = Some(Change::Reopened);
        }
        let new_caller = seen
            .caller
            .is_some_and(|caller| live.callers.len() < MAX_CALLERS && live.callers.insert(caller));
        let outbreak = &mut live.outbreak;
        outbreak.count += 1;
        outbreak.callers += u64::from(new_caller);
        outbreak.observed += u64::from(seen.observe);
        outbreak.last_ms = outbreak.last_ms.max(seen.time_ms);
        outbreak.codes = seen.codes.to_vec();
        outbreak.summary = Some(seen.summary.to_owned());
        live.last = now;
        if live.outbreak.count >= live.next_told {
            live.next_told = next_decade(live.outbreak.count);
            change = change.or(Some(Change::Grew));
        }
        let whole = live.keeps_whole(seen.answer, now);
        Noted { outbreak: live.outbreak.clone(), new_caller, whole, change }
    }

    /// Closes what went quiet: gives each outbreak that just closed.
    pub fn close_quiet(&mut self, now: Duration, now_ms: u64) -> Vec<Outbreak> {
        let mut closed = Vec::new();
        for live in self.live.values_mut() {
            if live.outbreak.closed_ms.is_none() && now.saturating_sub(live.last) >= self.quiet {
                live.outbreak.closed_ms = Some(now_ms.max(live.outbreak.last_ms));
                closed.push(live.outbreak.clone());
            }
        }
        closed
    }

    /// The causes of those that are open.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        let open = self.live.values().filter(|live| live.outbreak.closed_ms.is_none());
        open.map(|live| live.outbreak.cause.as_str())
    }

    /// The one that was quiet for longest makes room, closed ones first.
    fn make_room(&mut self) {
        if self.live.len() < MAX_OUTBREAKS {
            return;
        }
        let oldest = self
            .live
            .iter()
            .min_by_key(|(_, live)| (live.outbreak.closed_ms.is_none(), live.last))
            .map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.live.remove(&key);
        }
    }
}

/// The next power of ten above a count, from 10 on.
fn next_decade(count: u64) -> u64 {
    let mut decade = 10_u64;
    while decade <= count {
        decade = decade.saturating_mul(10);
    }
    decade
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_mins(10);

    fn seen(time_ms: u64, caller: u64) -> Seen<'static> {
        Seen {
            route: "/voice",
            cause: "html-page",
            codes: &[12100],
            time_ms,
            caller: Some(caller),
            observe: false,
            answer: 1,
            summary: "12100 averted",
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_grows_closes_and_returns() {
        let mut outbreaks = Outbreaks::new(QUIET);
        let first = outbreaks.note(&seen(1_000, 7), at(0), Uuid::now_v7);
        assert_eq!((first.change, first.new_caller), (Some(Change::Opened), true));
        for n in 1..9 {
            let next = outbreaks.note(&seen(1_000 + n, 7), at(1), Uuid::now_v7);
            assert_eq!((next.change, next.new_caller), (None, false));
        }
        let tenth = outbreaks.note(&seen(2_000, 8), at(2), Uuid::now_v7);
        assert_eq!(tenth.change, Some(Change::Grew));
        assert_eq!((tenth.outbreak.count, tenth.outbreak.callers), (10, 2));
        assert!(outbreaks.close_quiet(at(601), 9_000).is_empty());
        let closed = outbreaks.close_quiet(at(602), 9_000);
        assert_eq!(closed.len(), 1);
        assert_eq!((closed[0].closed_ms, outbreaks.open().count()), (Some(9_000), 0));
        assert!(outbreaks.close_quiet(at(700), 9_500).is_empty());
        let again = outbreaks.note(&seen(10_000, 7), at(800), Uuid::now_v7);
        assert_eq!(again.change, Some(Change::Reopened));
        assert_eq!(again.outbreak.id, first.outbreak.id);
        assert_eq!((again.outbreak.reopened, again.outbreak.count), (1, 11));
    }

    #[test]
    fn a_storm_keeps_few_whole_records() {
        let mut outbreaks = Outbreaks::new(QUIET);
        let whole = (0..100_000_u64)
            .filter(|n| {
                let seen = Seen { answer: *n, ..seen(*n, *n) };
                outbreaks.note(&seen, Duration::from_millis(*n), Uuid::now_v7).whole
            })
            .count();
        assert_eq!(whole, 50 + 1);
    }

    #[test]
    fn wall_time_that_jumps_closes_nothing() {
        let mut outbreaks = Outbreaks::new(QUIET);
        outbreaks.note(&seen(1_000_000, 7), at(0), Uuid::now_v7);
        assert!(outbreaks.close_quiet(at(1), u64::MAX).is_empty());
        let back = outbreaks.note(&seen(5, 7), at(2), Uuid::now_v7);
        assert_eq!(back.outbreak.last_ms, 1_000_000);
    }

    #[test]
    fn an_earlier_run_is_gone_on_with() {
        let mut outbreaks = Outbreaks::new(QUIET);
        let first = outbreaks.note(&seen(1_000, 7), at(0), Uuid::now_v7).outbreak;
        let mut next = Outbreaks::new(QUIET);
        next.restore([(first.clone(), HashSet::from([7]))], at(0), 2_000);
        let noted = next.note(&seen(3_000, 7), at(1), Uuid::now_v7);
        assert_eq!((noted.outbreak.id, noted.outbreak.count), (first.id, 2));
        assert_eq!((noted.new_caller, noted.change), (false, None));
    }

    #[test]
    fn one_of_two_that_guards_opened_side_by_side_is_gone_on_with() {
        let outbreak = |last_ms| {
            let mut outbreaks = Outbreaks::new(QUIET);
            outbreaks.note(&seen(last_ms, 7), at(0), Uuid::now_v7).outbreak
        };
        let (older, newer) = (outbreak(1_000), outbreak(2_000));
        for order in [[&older, &newer], [&newer, &older]] {
            let mut next = Outbreaks::new(QUIET);
            let earlier = order.map(|outbreak| (outbreak.clone(), HashSet::new()));
            let doubled = next.restore(earlier, at(0), 3_000);
            assert_eq!(doubled, [Outbreak { closed_ms: Some(1_000), ..older.clone() }]);
            assert_eq!(next.note(&seen(4_000, 7), at(1), Uuid::now_v7).outbreak.id, newer.id);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut outbreaks = Outbreaks::new(QUIET);
        for n in 0..MAX_OUTBREAKS as u64 + 100 {
            let route = format!("/{n}");
            let seen = Seen { route: &route, ..seen(n, n) };
            outbreaks.note(&seen, Duration::from_millis(n), Uuid::now_v7);
        }
        assert_eq!(outbreaks.live.len(), MAX_OUTBREAKS);
        assert!(!outbreaks.live.contains_key(&("/0".to_owned(), "html-page".to_owned())));
    }
}
