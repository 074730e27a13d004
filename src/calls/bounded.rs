//! A map that forgets what was touched longest ago.

use std::collections::{BTreeMap, HashMap};

/// Values by name, bounded in number and age (milliseconds of one clock).
#[derive(Debug)]
pub(super) struct Bounded<V> {
    entries: HashMap<Box<str>, Entry<V>>,
    /// Names by when they were touched last, the longest ago first.
    order: BTreeMap<u64, Box<str>>,
    touches: u64,
    most: usize,
    max_age: u64,
}

#[derive(Debug)]
struct Entry<V> {
    touch: u64,
    seen: u64,
    value: V,
}

impl<V> Bounded<V> {
    /// Holds so many values, each until it was not touched for so many milliseconds.
    pub(super) fn new(most: usize, max_age: u64) -> Self {
        let entries = HashMap::new();
        Self { entries, order: BTreeMap::new(), touches: 0, most, max_age }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A value that is not too old.
    pub(super) fn get(&self, name: &str, now: u64) -> Option<&V> {
        let entry = self.entries.get(name)?;
        (now.saturating_sub(entry.seen) <= self.max_age).then_some(&entry.value)
    }

    /// The value of a name, from now on the youngest; made if there is none. What has to go for it
    /// is given back.
    pub(super) fn touch(
        &mut self,
        name: &str,
        now: u64,
        make: impl FnOnce() -> V,
    ) -> (&mut V, Vec<V>) {
        let mut gone = Vec::new();
        let is_old = |entry: &Entry<V>| now.saturating_sub(entry.seen) > self.max_age;
        if self.entries.get(name).is_some_and(is_old) {
            gone.extend(self.remove(name));
        }
        while let Some(name) = self.excess(name, now) {
            gone.extend(self.remove(&name));
        }
        self.touches += 1;
        let touch = self.touches;
        self.order.insert(touch, name.into());
        let entry = self.entries.entry(name.into());
        let entry = entry.and_modify(|known| {
            self.order.remove(&known.touch);
            (known.touch, known.seen) = (touch, now);
        });
        let entry = entry.or_insert_with(|| Entry { touch, seen: now, value: make() });
        (&mut entry.value, gone)
    }

    /// Takes out what was touched longest ago, unless it is the only one.
    pub(super) fn pop_oldest(&mut self) -> Option<V> {
        if self.len() < 2 {
            return None;
        }
        let name = self.order.first_key_value()?.1.clone();
        self.remove(&name)
    }

    /// Names and values with the time when they were touched, the last one first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = (&str, u64, &V)> {
        self.order.values().rev().filter_map(|name| {
            let entry = self.entries.get(name)?;
            Some((&**name, entry.seen, &entry.value))
        })
    }

    /// The name that has to go before this one is touched.
    fn excess(&self, coming: &str, now: u64) -> Option<Box<str>> {
        let name = self.order.first_key_value()?.1;
        let is_new = !self.entries.contains_key(coming);
        let is_old = now.saturating_sub(self.entries.get(name)?.seen) > self.max_age;
        let is_full = self.len() + usize::from(is_new) > self.most;
        (&**name != coming && (is_old || is_full)).then(|| name.clone())
    }

    fn remove(&mut self, name: &str) -> Option<V> {
        let entry = self.entries.remove(name)?;
        self.order.remove(&entry.touch);
        Some(entry.value)
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
        let (_, gone) = map.touch("d", 200, || "d");
        assert_eq!((gone, map.len()), (vec!["a", "c"], 1));
        assert_eq!(map.pop_oldest(), None);
    }

    #[test]
    fn a_name_that_is_too_old_begins_anew() {
        let mut map = Bounded::new(2, 10);
        *map.touch("a", 0, || 1).0 += 1;
        assert_eq!(map.touch("a", 10, || 1).0, &2);
        assert_eq!(map.touch("a", 21, || 1), (&mut 1, vec![2]));
    }

    proptest! {
        #[test]
        fn never_more_than_allowed_and_the_last_is_always_there(
            touches in prop::collection::vec(("[a-f]", 0_u64..40), 1..60)
        ) {
            let (mut map, mut now) = (Bounded::new(3, 50), 0);
            for (name, later) in touches {
                now += later;
                map.touch(&name, now, || name.clone());
                prop_assert!(map.len() <= 3 && map.order.len() == map.len());
                prop_assert_eq!(map.get(&name, now), Some(&name));
                for (_, seen, _) in map.newest_first() {
                    prop_assert!(now - seen <= 50);
                }
            }
        }
    }
}
