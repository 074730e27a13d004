//! Texts that are looked for together: one pass, however many there are.

/// As many bytes of a mark as are looked for at each place of a text.
const KEY: usize = 4;
/// Bits of a hash of them: few texts have one that is a mark's by chance.
const BITS: u32 = 14;
/// Words of a bit for each hash.
const WORDS: usize = (1 << BITS) / 64;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Marks {
    all: Vec<Option<&'static str>>,
    /// The hash of each mark's first bytes, and the mark's number; in order.
    begun: Vec<(u16, usize)>,
    /// A bit for each hash that one of them has.
    may_begin: Box<[u64; WORDS]>,
    /// The numbers of marks that are too short for this: each is looked for alone.
    short: Vec<usize>,
}

/// Which of them stand in a text.
#[derive(Debug)]
pub(super) struct Found {
    is_there: Vec<bool>,
    is_nothing: bool,
}

impl Marks {
    pub(super) fn new(all: impl IntoIterator<Item = &'static str>) -> Self {
        Self::with_gaps(all.into_iter().map(Some))
    }

    /// The same; what is none is never found.
    pub(super) fn with_gaps(all: impl IntoIterator<Item = Option<&'static str>>) -> Self {
        let all: Vec<_> = all.into_iter().collect();
        let (mut begun, mut short, mut may_begin) = (Vec::new(), Vec::new(), Box::new([0; WORDS]));
        for (number, mark) in all.iter().enumerate() {
            let Some(mark) = mark else { continue };
            match mark.as_bytes().first_chunk() {
                Some(key) => {
                    let hash = hash(u32::from_le_bytes(*key));
                    begun.push((hash, number));
                    may_begin[usize::from(hash) / 64] |= 1 << (hash % 64);
                }
                None => short.push(number),
            }
        }
        begun.sort_unstable();
        Self { all, begun, may_begin, short }
    }

    /// Whether any of them stands in a text.
    pub(super) fn is_any_in(&self, text: &str) -> bool {
        self.find(text, |_| true)
    }

    /// Which of them stand in a text, by the order in which they were given.
    pub(super) fn in_text(&self, text: &str) -> Found {
        let mut found = Found { is_there: vec![false; self.all.len()], is_nothing: true };
        self.find(text, |number| {
            if let Some(is_there) = found.is_there.get_mut(number) {
                *is_there = true;
            }
            found.is_nothing = false;
            false
        });
        found
    }

    /// Tells the numbers of those that stand in a text, some more than once, until it is enough.
    fn find(&self, text: &str, mut is_enough: impl FnMut(usize) -> bool) -> bool {
        let mark = |number: usize| self.all.get(number).copied().flatten().unwrap_or_default();
        for &number in &self.short {
            if text.contains(mark(number)) && is_enough(number) {
                return true;
            }
        }
        let bytes = text.as_bytes();
        let mut key = 0;
        for (last, byte) in bytes.iter().enumerate() {
            key = key >> 8 | u32::from(*byte) << 24;
            let hash = hash(key);
            if self.may_begin[usize::from(hash) / 64] >> (hash % 64) & 1 == 0 {
                continue;
            }
            let from = self.begun.partition_point(|(begun, _)| *begun < hash);
            let begun = self.begun.get(from..).unwrap_or_default();
            // Of the first keys some bytes are none: they have no place.
            let rest = bytes.get((last + 1).wrapping_sub(KEY)..).unwrap_or_default();
            for &(_, number) in begun.iter().take_while(|(begun, _)| *begun == hash) {
                if rest.starts_with(mark(number).as_bytes()) && is_enough(number) {
                    return true;
                }
            }
        }
        false
    }
}

/// A hash of a mark's first bytes, of so many bits.
#[allow(clippy::cast_possible_truncation)] // Few bits are left.
const fn hash(key: u32) -> u16 {
    (key.wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS)) as u16
}

impl Found {
    pub(super) fn has(&self, at: usize) -> bool {
        self.is_there.get(at).copied().unwrap_or_default()
    }

    pub(super) const fn is_nothing(&self) -> bool {
        self.is_nothing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [&str; 12] =
        ["a", "ab", "b", "abc", "bc", "ca", "a", "abcd", "abcda", "bcda", "dddd", "cabcab"];

    proptest! {
        #[test]
        fn they_are_found_as_if_each_were_looked_for_alone(text in "[abcd]{0,12}|[ab]?[abcdא]{0,12}d{0,5}") {
            for all in [&ALL[..], &ALL[7..]] {
                let gap = all.len() / 2;
                let marks = Marks::with_gaps(all.iter().enumerate().map(|(at, mark)| (at != gap).then_some(*mark)));
                let found = marks.in_text(&text);
                let contains = |at: usize| at != gap && text.contains(all[at]);
                for (at, mark) in all.iter().enumerate() {
                    prop_assert_eq!(found.has(at), contains(at), "{} in {}", mark, text);
                }
                let is_any = (0..all.len()).any(contains);
                prop_assert_eq!(found.is_nothing(), !is_any);
                prop_assert_eq!(marks.is_any_in(&text), is_any);
            }
        }
    }
}
