//! What of each outbreak's counts is in the file already. Guards that share a file, as during a
//! restart, each add their own to it.

use std::collections::HashMap;

use uuid::Uuid;

use crate::incidents::outbreak::Outbreak;

/// Outbreaks that are remembered at least: more than can be followed.
const REMEMBERED: usize = 4_096;

/// Counts of an outbreak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Its incidents.
    pub count: u64,
    /// Its distinct callers.
    pub callers: u64,
    /// Those only observed.
    pub observed: u64,
}

/// The counts of this guard that were written.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    written: HashMap<Uuid, (u64, Counts)>,
    turn: u64,
}

impl Counted {
    /// What an outbreak's counts grew by since they were written; from now on they are.
    pub(super) fn growth(&mut self, outbreak: &Outbreak) -> Counts {
        let now = Counts {
            count: outbreak.count,
            callers: outbreak.callers,
            observed: outbreak.observed,
        };
        self.turn += 1;
        let before = self.written.insert(outbreak.id, (self.turn, now));
        let before = before.map(|(_, counts)| counts).unwrap_or_default();
        if self.written.len() >= 2 * REMEMBERED {
            let oldest = self.turn.saturating_sub(REMEMBERED as u64);
            self.written.retain(|_, (turn, _)| *turn > oldest);
        }
        Counts {
            count: now.count.saturating_sub(before.count),
            callers: now.callers.saturating_sub(before.callers),
            observed: now.observed.saturating_sub(before.observed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbreak(id: u128, count: u64) -> Outbreak {
        Outbreak {
            id: Uuid::from_u128(id),
            route: "/voice".to_owned(),
            cause: "html-page".to_owned(),
            codes: vec![12100],
            since_ms: 1,
            last_ms: 2,
            closed_ms: None,
            reopened: 0,
            count,
            callers: count / 2,
            observed: 0,
            summary: None,
        }
    }

    #[test]
    fn only_what_is_new_is_added() {
        let mut counted = Counted::default();
        let grew = |count, callers| Counts { count, callers, observed: 0 };
        assert_eq!(counted.growth(&outbreak(1, 4)), grew(4, 2));
        assert_eq!(counted.growth(&outbreak(1, 5)), grew(1, 0));
        assert_eq!(counted.growth(&outbreak(2, 2)), grew(2, 1));
        assert_eq!(counted.growth(&outbreak(1, 5)), grew(0, 0));
        assert_eq!(counted.growth(&outbreak(1, 9)), grew(4, 2));
    }

    #[test]
    fn memory_is_bounded_and_the_latest_stay() {
        let mut counted = Counted::default();
        for id in 0..3 * REMEMBERED as u128 {
            counted.growth(&outbreak(id, 1));
        }
        assert!(counted.written.len() < 2 * REMEMBERED);
        assert_eq!(counted.growth(&outbreak(3 * REMEMBERED as u128 - 1, 2)).count, 1);
    }
}
