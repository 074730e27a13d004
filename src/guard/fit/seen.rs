//! Answers that were fit before: backends give many callers the same document.

use std::sync::Arc;

use bytes::Bytes;

use super::url::Own;
use super::{Fit, plain, scan, survey};
use crate::guard::exchange::Exchange;
use crate::guard::handed::Spans;
use crate::guard::policy::Policy;
use crate::twilio::Slot;

/// Documents that are remembered, of 64 kB at most each.
const MOST: usize = 32;

/// The documents that were found fit last, byte for byte, with what that depended on.
///
/// It forgets the one that did not come again for the longest time, about (the clock's algorithm).
#[derive(Debug, Default)]
pub struct Seen {
    known: Vec<Known>,
    /// Which one is looked at next for being forgotten.
    hand: usize,
}

#[derive(Debug)]
struct Known {
    slot: Slot,
    configured: Vec<String>,
    asked: Option<String>,
    is_public: bool,
    body: Bytes,
    spans: Arc<Spans>,
    /// Whether it came again since the hand went by.
    is_used: bool,
}

impl Known {
    fn is(&self, slot: Slot, own: &Own<'_>, body: &Bytes) -> bool {
        self.body.len() == body.len()
            && self.slot == slot
            && self.is_public == own.is_public
            && self.asked.as_deref() == own.asked
            && self.configured == own.configured
            && self.body == body
    }
}

impl Seen {
    /// The same as [`fit`](super::fit), at once for what was fit before.
    pub fn fit(&mut self, exchange: &Exchange, policy: &Policy) -> Option<Fit> {
        let answer = plain(exchange, policy)?;
        let own = Own::of(policy, &exchange.request);
        let is_it = |known: &&mut Known| known.is(exchange.slot, &own, &answer.body);
        if let Some(known) = self.known.iter_mut().find(is_it) {
            known.is_used = true;
            return Some(Fit { spans: Arc::clone(&known.spans) });
        }
        let spans = scan::scan(survey::survey(&answer.body)?, exchange.slot, &own)?;
        let spans = Arc::new(spans);
        self.remember(Known {
            slot: exchange.slot,
            configured: own.configured.to_vec(),
            asked: own.asked.map(str::to_owned),
            is_public: own.is_public,
            body: answer.body.clone(),
            spans: Arc::clone(&spans),
            is_used: false,
        });
        Some(Fit { spans })
    }

    fn remember(&mut self, new: Known) {
        if self.known.len() < MOST {
            self.known.push(new);
            return;
        }
        loop {
            self.hand = (self.hand + 1) % MOST;
            let Some(known) = self.known.get_mut(self.hand) else { return };
            if !std::mem::take(&mut known.is_used) {
                *known = new;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(n: usize) -> Known {
        Known {
            slot: Slot::Voice,
            configured: Vec::new(),
            asked: None,
            is_public: false,
            body: Bytes::from(n.to_string()),
            spans: Arc::default(),
            is_used: false,
        }
    }

    #[test]
    fn what_comes_again_stays_and_the_rest_makes_room() {
        let mut seen = Seen::default();
        for n in 0..10 * MOST {
            seen.remember(known(n));
            assert!(seen.known.len() <= MOST);
            seen.known.iter_mut().filter(|one| one.body == "3").for_each(|one| one.is_used = true);
        }
        let is_there = |n: usize| seen.known.iter().any(|one| one.body == n.to_string());
        assert!(is_there(3) && is_there(10 * MOST - 1) && !is_there(4));
    }
}
