//! A map that forgets what was touched longest ago.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Stands for no place.
const NONE: usize = usize::MAX;

/// Values by name, bounded in number and age (milliseconds of one clock). Whatever it holds, a touch
/// costs the same.
#[derive(Debug)]
pub(super) struct Bounded<V> {
    /// The place of each name's entry.
    places: HashMap<Arc<str>, usize, RandomState>,
    /// In no order; each knows the ones that were touched just before and after it.
    entries: Vec<Entry<V>>,
    oldest: usize,
    newest: usize,
    most: usize,
    max_age: u64,
}

#[derive(Debug)]
struct Entry<V> {
    name: Arc<str>,
    seen: u64,
    older: usize,
    newer: usize,
    value: V,
}

/// What was touched.
#[derive(Debug)]
pub(super) struct Touched<'b, V> {
    pub(super) name: &'b Arc<str>,
    pub(super) value: &'b mut V,
    /// What had to go for it.
    pub(super) gone: Vec<V>,
}

impl<V> Bounded<V> {
    /// Holds so many values, one at least, each until it was not touched for so many milliseconds.
    pub(super) fn new(most: usize, max_age: u64) -> Self {
        let (places, entries) = (HashMap::default(), Vec::new());
        Self { places, entries, oldest: NONE, newest: NONE, most, max_age }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A value that is not too old.
    pub(super) fn get(&self, name: &str, now: u64) -> Option<&V> {
        let at = *self.places.get(name)?;
        (!self.is_old(at, now)).then(|| &self.entries[at].value)
    }

    /// The value of a name, from now on the youngest; made if there is none.
    pub(super) fn touch(
        &mut self,
        name: &str,
        now: u64,
        make: impl FnOnce() -> V,
    ) -> Touched<'_, V> {
        let mut gone = Vec::new();
        let mut place = self.places.get(name).copied();
        if let Some(at) = place.filter(|at| self.is_old(*at, now)) {
            gone.push(self.remove(at));
            place = None;
        }
        while self.oldest != NONE {
            let is_full = place.is_none() && self.len() >= self.most;
            if !is_full && !self.is_old(self.oldest, now) {
                break;
            }
            gone.push(self.remove(self.oldest));
        }
        if place.is_some() && !gone.is_empty() {
            // It may stand elsewhere now.
            place = self.places.get(name).copied();
        }
        let at = if let Some(at) = place {
            self.unlink(at);
            at
        } else {
            let name: Arc<str> = name.into();
            self.places.insert(Arc::clone(&name), self.len());
            let value = make();
            self.entries.push(Entry { name, seen: now, older: NONE, newer: NONE, value });
            self.len() - 1
        };
        self.link(at);
        let entry = &mut self.entries[at];
        entry.seen = now;
        Touched { name: &entry.name, value: &mut entry.value, gone }
    }

    /// Takes out what was touched longest ago, unless it is the only one.
    pub(super) fn pop_oldest(&mut self) -> Option<V> {
        if self.len() < 2 {
            return None;
        }
        Some(self.remove(self.oldest))
    }

    /// Names and values with the time when they were touched, the last one first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (&str, u64, &V)> {
        let newest = self.entries.get(self.newest);
        let all = std::iter::successors(newest, |entry| self.entries.get(entry.older));
        all.map(|entry| (&*entry.name, entry.seen, &entry.value))
    }

    /// Names and values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &V)> {
        self.entries.iter().map(|entry| (&entry.name, &entry.value))
    }

    fn is_old(&self, at: usize, now: u64) -> bool {
        now.saturating_sub(self.entries[at].seen) > self.max_age
    }

    /// Makes it the youngest.
    fn link(&mut self, at: usize) {
        self.entries[at].older = self.newest;
        self.entries[at].newer = NONE;
        self.set_neighbours(at, at, at);
    }

    /// Takes it out of the row: those beside it stand beside each other.
    fn unlink(&mut self, at: usize) {
        let Entry { older, newer, .. } = self.entries[at];
        self.set_neighbours(at, newer, older);
    }

    /// What its older neighbour has as the newer one, and the other way round.
    fn set_neighbours(&mut self, at: usize, to_older: usize, to_newer: usize) {
        let Entry { older, newer, .. } = self.entries[at];
        match self.entries.get_mut(older) {
            Some(entry) => entry.newer = to_older,
            None => self.oldest = to_older,
        }
        match self.entries.get_mut(newer) {
            Some(entry) => entry.older = to_newer,
            None => self.newest = to_newer,
        }
    }

    fn remove(&mut self, at: usize) -> V {
        self.unlink(at);
        let gone = self.entries.swap_remove(at);
        self.places.remove(&gone.name);
        // The last one stands here now.
        if at < self.len() {
            self.set_neighbours(at, at, at);
            if let Some(place) = self.places.get_mut(&self.entries[at].name) {
                *place = at;
            }
        }
        gone.value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_touched_longest_ago_goes() {
        let mut map = Bounded::new(2, 100);
        for (name, now) in [("a", 0), ("b", 1), ("a", 2), ("c", 3)] {
            map.touch(name, now, || name);
        }
        let names: Vec<_> = map.newest_first().map(|(name, ..)| name).collect();
        assert_eq!(names, ["c", "a"]);
        assert_eq!((map.get("a", 102), map.get("a", 103)), (Some(&"a"), None));
        let gone = map.touch("d", 200, || "d").gone;
        assert_eq!((gone, map.len()), (vec!["a", "c"], 1));
        assert_eq!(map.pop_oldest(), None);
    }

    #[test]
    fn a_name_that_is_too_old_begins_anew() {
        let mut map = Bounded::new(2, 10);
        *map.touch("a", 0, || 1).value += 1;
        assert_eq!(map.touch("a", 10, || 1).value, &2);
        let touched = map.touch("a", 21, || 1);
        assert_eq!((touched.value, touched.gone), (&mut 1, vec![2]));
    }

    proptest! {
        #[test]
        fn it_holds_what_a_plain_list_would(
            touches in prop::collection::vec(("[a-f]", 0_u64..40, 0_u8..9), 1..80)
        ) {
            let (mut map, mut now) = (Bounded::new(3, 50), 0);
            // The youngest last.
            let mut list: Vec<(String, u64, usize)> = Vec::new();
            for (n, (name, later, kind)) in touches.into_iter().enumerate() {
                now += later;
                if kind == 0 {
                    let oldest = (list.len() > 1).then(|| list.remove(0).2);
                    prop_assert_eq!(map.pop_oldest(), oldest);
                } else {
                    let mut gone: Vec<_> = list.extract_if(.., |own| now - own.1 > 50).collect();
                    let known = list.iter().position(|own| own.0 == name).map(|at| list.remove(at));
                    while known.is_none() && list.len() >= 3 {
                        gone.push(list.remove(0));
                    }
                    list.push((name.clone(), now, known.map_or(n, |own| own.2)));
                    let touched = map.touch(&name, now, || n);
                    prop_assert_eq!(&**touched.name, name.as_str());
                    let mut given = touched.gone;
                    given.sort_unstable();
                    let mut gone: Vec<_> = gone.into_iter().map(|own| own.2).collect();
                    gone.sort_unstable();
                    prop_assert_eq!(given, gone);
                }
                let held: Vec<_> = map.newest_first().map(|(name, seen, value)| (name.to_owned(), seen, *value)).collect();
                prop_assert_eq!(held, list.iter().rev().cloned().collect::<Vec<_>>());
                prop_assert_eq!(map.len(), map.places.len());
                prop_assert_eq!(map.iter().count(), map.len());
                for name in ["a", "b", "c", "d", "e", "f"] {
                    let known = list.iter().find(|own| own.0 == name && now - own.1 <= 50);
                    prop_assert_eq!(map.get(name, now), known.map(|own| &own.2));
                }
            }
        }
    }
}
