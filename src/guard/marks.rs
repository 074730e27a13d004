//! Texts that are looked for together: one pass, however many there are.

use aho_corasick::AhoCorasick;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Marks {
    /// `None`: it could not be built, and each is looked for alone.
    automaton: Option<AhoCorasick>,
    all: Vec<&'static str>,
}

/// Which of them stand in a text.
#[derive(Debug)]
pub(super) struct Found(Vec<bool>);

impl Marks {
    pub(super) fn new(all: impl IntoIterator<Item = &'static str>) -> Self {
        let all: Vec<_> = all.into_iter().collect();
        Self { automaton: AhoCorasick::new(&all).ok(), all }
    }

    /// Whether any of them stands in a text.
    pub(super) fn is_any_in(&self, text: &str) -> bool {
        match &self.automaton {
            Some(automaton) => automaton.is_match(text),
            None => self.all.iter().any(|mark| text.contains(mark)),
        }
    }

    /// Which of them stand in a text, by the order in which they were given.
    pub(super) fn in_text(&self, text: &str) -> Found {
        let Some(automaton) = &self.automaton else {
            return Found(self.all.iter().map(|mark| text.contains(mark)).collect());
        };
        let mut found = vec![false; self.all.len()];
        for met in automaton.find_overlapping_iter(text) {
            if let Some(found) = found.get_mut(met.pattern().as_usize()) {
                *found = true;
            }
        }
        Found(found)
    }
}

impl Found {
    pub(super) fn has(&self, at: usize) -> bool {
        self.0.get(at).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [&str; 7] = ["a", "ab", "b", "abc", "bc", "ca", "a"];

    proptest! {
        #[test]
        fn they_are_found_as_if_each_were_looked_for_alone(text in "[abcd]{0,12}") {
            let marks = Marks::new(ALL);
            let found = marks.in_text(&text);
            for (at, mark) in ALL.iter().enumerate() {
                prop_assert_eq!(found.has(at), text.contains(mark), "{} in {}", mark, text);
            }
            prop_assert_eq!(marks.is_any_in(&text), ALL.iter().any(|mark| text.contains(mark)));
        }
    }
}
