//! What is learnt of URLs: as what documents handed them out, and as what they were asked.

use std::sync::Arc;

use super::belief::{Known, handed_out_first};
use super::bounded::{Bounded, Touched};
use crate::guard::call::HandedOut;
use crate::twilio::Slot;

/// URLs that are remembered at most.
pub(super) const MAX_URLS: usize = 10_000;
/// Ways in which one URL is remembered at most.
pub(super) const MAX_ROLES: usize = 6;
/// What was not seen for so long (30 days) is forgotten.
const MAX_AGE_MS: u64 = 30 * 24 * 3_600_000;
/// Routes that are told at most.
const MAX_TOLD: usize = 10;
/// For so long the same routes are told.
const TOLD_MS: u64 = 1_000;

/// One way in which a URL is known, and since when. Times in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) known: Known,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) times: u64,
}

/// The ways in which one URL is known, the one seen last first. Shared with who writes them down.
type Ways = Arc<Vec<Seen>>;

/// The ways in which URLs are known, by method and path.
#[derive(Debug)]
pub(super) struct Roles {
    urls: Bounded<Ways>,
    /// Counts what was learnt anew.
    news: u64,
    /// Counts what was seen once more.
    repeated: u64,
    /// The routes that were told, and when.
    told: Option<(u64, Arc<[String]>)>,
}

/// All roles as they were at one moment.
#[derive(Debug)]
pub(super) struct Snapshot(Vec<(Arc<str>, Ways)>);

impl Default for Roles {
    fn default() -> Self {
        Self { urls: Bounded::new(MAX_URLS, MAX_AGE_MS), news: 0, repeated: 0, told: None }
    }
}

impl Roles {
    /// Learns one way in which a URL is known. Gives the key and the way that are remembered, for
    /// others to share.
    pub(super) fn learn(
        &mut self,
        key: &str,
        slot: Slot,
        place: Option<&HandedOut>,
        now_ms: u64,
    ) -> (Arc<str>, Known) {
        let is_known =
            |seen: &Seen| seen.known.slot == slot && seen.known.place.as_deref() == place;
        let Touched { name, value, .. } = self.urls.touch(key, now_ms, Arc::default);
        let ways = Arc::make_mut(value);
        ways.retain(|seen| now_ms.saturating_sub(seen.last_ms) <= MAX_AGE_MS);
        if let Some(at) = ways.iter().position(is_known) {
            ways[..=at].rotate_right(1);
            ways[0].last_ms = now_ms;
            ways[0].times = ways[0].times.saturating_add(1);
            self.repeated += 1;
        } else {
            ways.truncate(MAX_ROLES - 1);
            let known = Known { slot, place: place.cloned().map(Arc::new) };
            ways.insert(0, Seen { known, first_ms: now_ms, last_ms: now_ms, times: 1 });
            self.news += 1;
            // Where there was nothing to tell there is now.
            self.told = self.told.take().filter(|(_, told)| !told.is_empty());
        }
        (Arc::clone(name), ways[0].known.clone())
    }

    /// In which ways a URL is known: handed out last first, only asked last.
    pub(super) fn known(&self, key: &str, now_ms: u64) -> impl Iterator<Item = &Known> {
        let is_fresh = move |seen: &&Seen| now_ms.saturating_sub(seen.last_ms) <= MAX_AGE_MS;
        let ways = self.urls.get(key, now_ms).map(|ways| ways.as_slice()).unwrap_or_default();
        let known = ways.iter().filter(is_fresh).map(|seen| &seen.known);
        handed_out_first(known)
    }

    /// URLs that answered with TwiML, those asked last first: `POST /voice (voice)`.
    pub(super) fn answering(&mut self, now_ms: u64) -> Arc<[String]> {
        let is_fresh = |(at, _): &&(u64, _)| now_ms.saturating_sub(*at) < TOLD_MS;
        // An outage asks for them with every request.
        if let Some((_, told)) = self.told.as_ref().filter(is_fresh) {
            return Arc::clone(told);
        }
        let answers = |seen: &&Seen| seen.known.place.is_none();
        let told = self.urls.newest_first().filter_map(|(key, _, ways)| {
            let seen = ways.iter().find(answers)?;
            Some(format!("{key} ({})", seen.known.slot))
        });
        let told: Arc<[String]> = told.take(MAX_TOLD).collect();
        self.told = Some((now_ms, Arc::clone(&told)));
        told
    }

    /// How much was learnt anew, and how much was seen once more.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.news, self.repeated)
    }

    /// Everything as it is now: a pointer for each URL, so that no request waits long meanwhile.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.urls.iter().map(|(key, ways)| (Arc::clone(key), Arc::clone(ways))).collect())
    }

    /// Takes up what was kept, in the order of [`Snapshot::all`]; what is older than is remembered is
    /// left out.
    pub(super) fn restore(&mut self, kept: Vec<(Arc<str>, Seen)>, now_ms: u64) {
        for (key, seen) in kept {
            if now_ms.saturating_sub(seen.last_ms) > MAX_AGE_MS {
                continue;
            }
            // A time to come is a clock's fault.
            let last_ms = seen.last_ms.min(now_ms);
            let own = Arc::make_mut(self.urls.touch(&key, last_ms, Arc::default).value);
            if own.len() < MAX_ROLES && !own.iter().any(|other| other.known == seen.known) {
                own.insert(0, Seen { last_ms, ..seen });
            }
        }
    }
}

impl Snapshot {
    /// Everything, what was seen longest ago first.
    pub(super) fn all(self) -> Vec<(Arc<str>, Seen)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .flat_map(|(key, ways)| ways.iter().map(|seen| (Arc::clone(key), seen.clone())))
            .collect();
        all.sort_by_key(|(_, seen)| seen.last_ms);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(parent: &str) -> HandedOut {
        HandedOut {
            element: "Connect".to_owned(),
            attribute: Some("action".to_owned()),
            parent: parent.to_owned(),
        }
    }

    #[test]
    fn what_was_handed_out_last_is_told_first() {
        let mut roles = Roles::default();
        roles.learn("POST /a", Slot::Voice, None, 5);
        roles.learn("POST /a", Slot::Action, Some(&place("POST /x")), 1);
        roles.learn("POST /a", Slot::Callback, Some(&place("POST /x")), 3);
        let slots: Vec<_> = roles.known("POST /a", 9).map(|known| known.slot).collect();
        assert_eq!(slots, [Slot::Callback, Slot::Action, Slot::Voice]);
        assert!(roles.known("GET /a", 9).next().is_none());
        assert_eq!(roles.counts(), (3, 0));
        roles.learn("POST /a", Slot::Voice, None, 6);
        assert_eq!(roles.counts(), (3, 1));
    }

    #[test]
    fn each_role_has_an_age_of_its_own() {
        let mut roles = Roles::default();
        roles.learn("POST /a", Slot::Action, Some(&place("POST /x")), 0);
        roles.learn("POST /a", Slot::Voice, None, 10);
        assert_eq!(roles.known("POST /a", MAX_AGE_MS).count(), 2);
        assert_eq!(roles.known("POST /a", MAX_AGE_MS + 1).count(), 1);
        assert_eq!(roles.known("POST /a", MAX_AGE_MS + 11).count(), 0);
    }

    #[test]
    fn only_what_answered_is_told() {
        let mut roles = Roles::default();
        roles.learn("POST /ended", Slot::Action, Some(&place("POST /voice")), 1);
        assert!(roles.answering(1).is_empty());
        roles.learn("POST /voice", Slot::Voice, None, 1);
        for n in 0..20 {
            roles.learn(&format!("POST /{n}"), Slot::Messaging, None, 2);
        }
        let told = roles.answering(2);
        assert_eq!((told.len(), told[0].as_str()), (MAX_TOLD, "POST /19 (messaging)"));
        roles.learn("POST /late", Slot::Voice, None, 3);
        assert_eq!(roles.answering(3), told);
        assert_eq!(roles.answering(2 + TOLD_MS)[0], "POST /late (voice)");
    }

    #[test]
    fn what_is_learnt_while_it_is_written_down_is_for_the_next_time() {
        let mut roles = Roles::default();
        roles.learn("POST /a", Slot::Voice, None, 1);
        let snapshot = roles.snapshot();
        roles.learn("POST /a", Slot::Voice, None, 7);
        roles.learn("POST /a", Slot::Action, Some(&place("POST /x")), 8);
        let last = |snapshot: Snapshot| snapshot.all().iter().map(|own| own.1.last_ms).collect();
        let (then, now): (Vec<u64>, Vec<u64>) = (last(snapshot), last(roles.snapshot()));
        assert_eq!((then, now), (vec![1], vec![7, 8]));
    }

    #[test]
    fn what_was_seen_longest_ago_goes() {
        let mut roles = Roles::default();
        let places: Vec<_> = (0..=MAX_ROLES).map(|n| place(&format!("POST /{n}"))).collect();
        for (now, place) in (1..).zip(&places[..MAX_ROLES]) {
            roles.learn("POST /a", Slot::Action, Some(place), now);
        }
        roles.learn("POST /a", Slot::Action, Some(&places[0]), 20);
        roles.learn("POST /a", Slot::Action, places.last(), 21);
        let known: Vec<_> =
            roles.known("POST /a", 22).filter_map(|known| known.place.clone()).collect();
        assert_eq!(known.len(), MAX_ROLES);
        assert_eq!((&*known[0], &*known[1]), (&places[MAX_ROLES], &places[0]));
        assert!(!known.iter().any(|own| **own == places[1]));
    }

    proptest! {
        #[test]
        fn bounds_hold_and_what_is_kept_comes_back(
            seen in prop::collection::vec((0_u8..30, 0_usize..8, 0_u8..9, 0_u64..MAX_AGE_MS / 10), 1..200)
        ) {
            let (mut roles, mut now) = (Roles::default(), 0);
            for (url, slot, parent, later) in seen {
                now += later;
                let place = (parent < 8).then(|| place(&format!("POST /{parent}")));
                let key = format!("POST /{url}");
                roles.learn(&key, Slot::ALL[slot], place.as_ref(), now);
                let known: Vec<_> = roles.known(&key, now).cloned().collect();
                prop_assert!(known.len() <= MAX_ROLES);
                let learnt = Known { slot: Slot::ALL[slot], place: place.map(Arc::new) };
                prop_assert!(known.contains(&learnt));
            }
            let mut again = Roles::default();
            again.restore(roles.snapshot().all(), now);
            for url in 0..30 {
                let key = format!("POST /{url}");
                let sorted = |roles: &Roles| {
                    let mut known: Vec<_> = roles.known(&key, now).cloned().collect();
                    known.sort_by_key(|known| format!("{known:?}"));
                    known
                };
                prop_assert_eq!(sorted(&again), sorted(&roles));
            }
        }
    }
}
