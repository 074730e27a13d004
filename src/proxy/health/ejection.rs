//! Which of several backends is left out: one that failed three times in a row, until a connect
//! shows that it is back.

use std::time::{Duration, Instant};

/// When a backend is left out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct Rule {
    /// Failures in a row.
    pub(in crate::proxy) failures: u32,
    /// For how long at first; twice as long each further time in a row.
    pub(in crate::proxy) first: Duration,
    /// For how long at most.
    pub(in crate::proxy) longest: Duration,
}

/// See the module.
#[derive(Debug)]
pub(in crate::proxy) struct Ejection {
    rule: Rule,
    /// Failures in a row.
    failures: u32,
    /// Times in a row that it was left out, with no answer between.
    rounds: u32,
    out: Option<Out>,
}

#[derive(Debug, Clone, Copy)]
struct Out {
    /// When it is to be tried again.
    until: Instant,
    is_tried: bool,
}

impl Ejection {
    pub(in crate::proxy) fn new(rule: Rule) -> Self {
        Self { rule, failures: 0, rounds: 0, out: None }
    }

    /// Whether it is left out.
    pub(in crate::proxy) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// It answered, however well.
    pub(in crate::proxy) fn answered(&mut self) {
        (self.failures, self.rounds, self.out) = (0, 0, None);
    }

    /// It could not be connected to, or gave no answer.
    pub(in crate::proxy) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.out.is_none() && self.failures >= self.rule.failures {
            self.leave_out(now);
        }
    }

    /// Whether it is time to try it; says so once until [`Ejection::tried`].
    pub(in crate::proxy) fn is_due(&mut self, now: Instant) -> bool {
        match &mut self.out {
            Some(out) if !out.is_tried && now >= out.until => {
                out.is_tried = true;
                true
            }
            _ => false,
        }
    }

    /// What a try came to. One that connects is back on trial: the next failure is enough.
    pub(in crate::proxy) fn tried(&mut self, now: Instant, connects: bool) {
        if self.out.is_none() {
            return;
        }
        if connects {
            self.out = None;
            self.failures = self.rule.failures.saturating_sub(1);
        } else {
            self.leave_out(now);
        }
    }

    fn leave_out(&mut self, now: Instant) {
        let doubled =
            self.rule.first.saturating_mul(1_u32.checked_shl(self.rounds).unwrap_or(u32::MAX));
        self.out = Some(Out { until: now + doubled.min(self.rule.longest), is_tried: false });
        self.rounds = (self.rounds + 1).min(31);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule =
        Rule { failures: 3, first: Duration::from_secs(5), longest: Duration::from_mins(1) };

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn three_failures_in_a_row_leave_it_out() {
        let (mut ejection, now) = (Ejection::new(RULE), Instant::now());
        ejection.failed(now);
        ejection.failed(now);
        ejection.answered();
        ejection.failed(now);
        ejection.failed(now);
        assert!(!ejection.is_out());
        ejection.failed(now);
        assert!(ejection.is_out());
        ejection.answered();
        assert!(!ejection.is_out());
    }

    #[test]
    fn it_is_tried_after_5_s_then_after_twice_as_long_up_to_60_s() {
        let (mut ejection, mut now) = (Ejection::new(RULE), Instant::now());
        (0..3).for_each(|_| ejection.failed(now));
        for wait in [5, 10, 20, 40, 60, 60] {
            assert!(!ejection.is_due(now + secs(wait - 1)), "{wait}");
            now += secs(wait);
            assert!(ejection.is_due(now), "{wait}");
            assert!(!ejection.is_due(now), "one try at a time");
            ejection.tried(now, false);
        }
    }

    #[test]
    fn one_that_connects_is_on_trial_until_it_answers() {
        let (mut ejection, now) = (Ejection::new(RULE), Instant::now());
        (0..3).for_each(|_| ejection.failed(now));
        let now = now + secs(5);
        assert!(ejection.is_due(now));
        ejection.tried(now, true);
        assert!(!ejection.is_out());
        ejection.failed(now);
        assert!(ejection.is_out(), "one failure is enough");
        assert!(!ejection.is_due(now + secs(9)) && ejection.is_due(now + secs(10)));
        ejection.tried(now, true);
        ejection.answered();
        ejection.failed(now);
        assert!(!ejection.is_out());
    }

    #[test]
    fn random_histories_keep_the_promises() {
        for seed in 1..200_u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut next = move |below: u64| {
                // xorshift64
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            let (mut ejection, mut now) = (Ejection::new(RULE), Instant::now());
            let (mut in_a_row, mut left_at, mut is_tried) = (0, None, false);
            for step in 0..500 {
                now += Duration::from_millis(next(4_000));
                let was_out = ejection.is_out();
                match next(5) {
                    0..=2 => {
                        ejection.failed(now);
                        in_a_row += 1;
                        assert!(ejection.is_out() || in_a_row < RULE.failures, "{seed} {step}");
                    }
                    3 if next(3) == 0 => {
                        ejection.answered();
                        (in_a_row, is_tried) = (0, false);
                        assert!(!ejection.is_out(), "{seed} {step}: an answer brings it back");
                    }
                    _ if is_tried => {
                        let connects = next(2) == 0;
                        ejection.tried(now, connects);
                        is_tried = false;
                        assert_eq!(ejection.is_out(), !connects && was_out, "{seed} {step}");
                        if ejection.is_out() {
                            left_at = Some(now);
                        }
                        in_a_row = RULE.failures;
                    }
                    _ => {
                        let due = ejection.is_due(now);
                        let since = left_at.filter(|_| was_out).map(|left| now - left);
                        assert!(
                            !due || since.is_some_and(|since| since >= RULE.first),
                            "{seed} {step}"
                        );
                        assert!(
                            due || since.is_none_or(|since| since < RULE.longest),
                            "{seed} {step}"
                        );
                        is_tried |= due;
                    }
                }
                if !was_out && ejection.is_out() {
                    left_at = Some(now);
                }
            }
        }
    }
}
