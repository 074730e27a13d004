//! What is learnt of URLs: as what documents handed them out, and as what they were asked.

use super::belief::Known;
use super::bounded::Bounded;
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

/// The ways in which URLs are known, by method and path.
#[derive(Debug)]
pub(super) struct Roles {
    urls: Bounded<Vec<Seen>>,
    /// Counts what was learnt anew.
    news: u64,
    /// Counts what was seen once more.
    repeated: u64,
    told: (u64, Vec<String>),
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            urls: Bounded::new(MAX_URLS, MAX_AGE_MS),
            news: 0,
            repeated: 0,
            told: (0, Vec::new()),
        }
    }
}

impl Roles {
    /// Learns one way in which a URL is known.
    pub(super) fn learn(&mut self, key: &str, slot: Slot, place: Option<&HandedOut>, now_ms: u64) {
        let is_known =
            |seen: &&mut Seen| seen.known.slot == slot && seen.known.place.as_ref() == place;
        let (seen, _) = self.urls.touch(key, now_ms, Vec::new);
        seen.retain(|seen| now_ms.saturating_sub(seen.last_ms) <= MAX_AGE_MS);
        if let Some(known) = seen.iter_mut().find(is_known) {
            known.last_ms = now_ms;
            known.times = known.times.saturating_add(1);
            self.repeated += 1;
            return;
        }
        if seen.len() >= MAX_ROLES {
            let oldest = seen.iter().enumerate().min_by_key(|(_, seen)| seen.last_ms);
            if let Some(at) = oldest.map(|(at, _)| at) {
                seen.swap_remove(at);
            }
        }
        let known = Known { slot, place: place.cloned() };
        seen.push(Seen { known, first_ms: now_ms, last_ms: now_ms, times: 1 });
        self.news += 1;
    }

    /// In which ways a URL is known: handed out last first, only asked last.
    pub(super) fn known(&self, key: &str, now_ms: u64) -> Vec<Known> {
        let Some(all) = self.urls.get(key, now_ms) else { return Vec::new() };
        let is_fresh = |seen: &&Seen| now_ms.saturating_sub(seen.last_ms) <= MAX_AGE_MS;
        let mut seen: Vec<&Seen> = all.iter().filter(is_fresh).collect();
        seen.sort_by_key(|seen| (seen.known.place.is_none(), u64::MAX - seen.last_ms));
        seen.into_iter().map(|seen| seen.known.clone()).collect()
    }

    /// URLs that answered with TwiML, those asked last first: `POST /voice (voice)`.
    pub(super) fn answering(&mut self, now_ms: u64) -> Vec<String> {
        // An outage asks for them with every request.
        if self.told.1.is_empty() || now_ms.saturating_sub(self.told.0) >= TOLD_MS {
            let answers = |seen: &&Seen| seen.known.place.is_none();
            let told = self.urls.newest_first().filter_map(|(key, _, all)| {
                let seen = all.iter().find(answers)?;
                Some(format!("{key} ({})", seen.known.slot))
            });
            self.told = (now_ms, told.take(MAX_TOLD).collect());
        }
        self.told.1.clone()
    }

    /// How much was learnt anew, and how much was seen once more.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.news, self.repeated)
    }

    /// Everything, what was seen longest ago first.
    pub(super) fn all(&self) -> Vec<(String, Seen)> {
        let of_url = |(key, _, all): (&str, u64, &Vec<Seen>)| {
            all.iter().map(|seen| (key.to_owned(), seen.clone())).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.urls.newest_first().flat_map(of_url).collect();
        all.sort_by_key(|(_, seen)| seen.last_ms);
        all
    }

    /// Takes up what was kept; what is older than is remembered is left out.
    pub(super) fn restore(&mut self, kept: Vec<(String, Seen)>, now_ms: u64) {
        for (key, seen) in kept {
            if now_ms.saturating_sub(seen.last_ms) > MAX_AGE_MS {
                continue;
            }
            // A time to come is a clock's fault.
            let last_ms = seen.last_ms.min(now_ms);
            let (own, _) = self.urls.touch(&key, last_ms, Vec::new);
            if own.len() < MAX_ROLES && !own.iter().any(|other| other.known == seen.known) {
                own.push(Seen { last_ms, ..seen });
            }
        }
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
        let slots: Vec<_> = roles.known("POST /a", 9).iter().map(|known| known.slot).collect();
        assert_eq!(slots, [Slot::Callback, Slot::Action, Slot::Voice]);
        assert!(roles.known("GET /a", 9).is_empty());
        assert_eq!(roles.counts(), (3, 0));
        roles.learn("POST /a", Slot::Voice, None, 6);
        assert_eq!(roles.counts(), (3, 1));
    }

    #[test]
    fn each_role_has_an_age_of_its_own() {
        let mut roles = Roles::default();
        roles.learn("POST /a", Slot::Action, Some(&place("POST /x")), 0);
        roles.learn("POST /a", Slot::Voice, None, 10);
        assert_eq!(roles.known("POST /a", MAX_AGE_MS).len(), 2);
        assert_eq!(roles.known("POST /a", MAX_AGE_MS + 1).len(), 1);
        assert_eq!(roles.known("POST /a", MAX_AGE_MS + 11).len(), 0);
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
                let known = roles.known(&key, now);
                prop_assert!(known.len() <= MAX_ROLES);
                let learnt = Known { slot: Slot::ALL[slot], place };
                prop_assert!(known.contains(&learnt));
            }
            let mut again = Roles::default();
            again.restore(roles.all(), now);
            for url in 0..30 {
                let key = format!("POST /{url}");
                let sorted = |roles: &Roles| {
                    let mut known = roles.known(&key, now);
                    known.sort_by_key(|known| format!("{known:?}"));
                    known
                };
                prop_assert_eq!(sorted(&again), sorted(&roles));
            }
        }
    }
}
