//! The breaker of one backend: callers don't wait in silence while a backend hangs.
//!
//! It opens when somebody waits for a guarded answer and no answer at all came for a while. It
//! never refuses: open, it shortens the wait of all but one, and the first answer closes it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The breaker's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct Times {
    /// No answer for so long while somebody waits opens it.
    pub(in crate::proxy) silence: Duration,
    /// What it leaves of a wait while it is open.
    pub(in crate::proxy) short_wait: Duration,
}

/// One request that waits. Later ones have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::proxy) struct Ticket(u64);

/// How a wait ended without an answer's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum End {
    /// The backend said something, if only no: a refusal, a reset, an early end. Or nobody waits
    /// any more.
    Spoken,
    /// Time ran out.
    Silent,
}

/// What a wait is told when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Look {
    /// Wait on, and look again then; `None`: to the end of the budget.
    Wait(Option<Instant>),
    /// The wait is over: nothing came from this backend for so long.
    Cut(Duration),
}

/// See the module.
#[derive(Debug)]
pub(in crate::proxy) struct Breaker {
    times: Times,
    next: u64,
    /// Who waits, since when.
    waits: BTreeMap<Ticket, Instant>,
    /// When the first of the waits began that ended in silence, with no answer since.
    silent: Option<Instant>,
    /// When the last wait ended.
    last_end: Option<Instant>,
    last_answer: Option<Instant>,
    /// Since when it is open.
    open: Option<Instant>,
    /// The one that keeps its full budget while it is open.
    probe: Option<Ticket>,
}

impl Breaker {
    pub(in crate::proxy) fn new(times: Times) -> Self {
        Self {
            times,
            next: 0,
            waits: BTreeMap::new(),
            silent: None,
            last_end: None,
            last_answer: None,
            open: None,
            probe: None,
        }
    }

    /// Since when it is open, if it is.
    pub(in crate::proxy) fn open(&self) -> Option<Instant> {
        self.open
    }

    /// A guarded request begins to wait.
    pub(in crate::proxy) fn begin(&mut self, now: Instant) -> Ticket {
        let was_long_ago = self
            .last_end
            .is_some_and(|end| now.saturating_duration_since(end) >= self.times.silence);
        if self.waits.is_empty() && self.open.is_none() && was_long_ago {
            // Nobody asked since: that silence says nothing.
            self.silent = None;
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waits.insert(ticket, now);
        if self.open.is_some() && self.probe.is_none() {
            self.probe = Some(ticket);
        }
        ticket
    }

    /// What this one is to do now; opens the breaker when it is time. To be asked again at the
    /// time that it names.
    pub(in crate::proxy) fn look(&mut self, ticket: Ticket, now: Instant) -> Look {
        let Some(began) = self.waits.get(&ticket).copied() else { return Look::Wait(None) };
        let silence = self.silence(now);
        if self.open.is_none() {
            if silence < self.times.silence {
                return Look::Wait(Some(now + self.times.silence.saturating_sub(silence)));
            }
            self.open = Some(now);
            self.promote();
        }
        if self.probe == Some(ticket) {
            return Look::Wait(None);
        }
        let until = began + self.times.short_wait;
        if now < until { Look::Wait(Some(until)) } else { Look::Cut(silence) }
    }

    /// The head of an answer came, to whomever.
    pub(in crate::proxy) fn answered(&mut self, now: Instant) {
        self.last_answer = Some(now);
        self.silent = None;
        self.open = None;
        self.probe = None;
    }

    /// A wait is over; its answer was told apart.
    pub(in crate::proxy) fn end(&mut self, ticket: Ticket, now: Instant, how: End) {
        let Some(began) = self.waits.remove(&ticket) else { return };
        self.last_end = Some(now);
        if how == End::Silent {
            let since = self.last_answer.map_or(began, |answer| answer.max(began));
            self.silent = Some(self.silent.map_or(since, |earlier| earlier.min(since)));
        }
        if self.probe == Some(ticket) {
            self.promote();
        }
    }

    /// The one that came last has the most of its budget left.
    fn promote(&mut self) {
        self.probe = self.waits.last_key_value().map(|(ticket, _)| *ticket);
    }

    /// For how long somebody has waited and nothing came.
    fn silence(&self, now: Instant) -> Duration {
        let waiting = self.waits.first_key_value().map(|(_, began)| *began);
        let Some(since) = waiting.into_iter().chain(self.silent).min() else {
            return Duration::ZERO;
        };
        let since = self.last_answer.map_or(since, |answer| answer.max(since));
        now.saturating_duration_since(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times =
        Times { silence: Duration::from_secs(10), short_wait: Duration::from_secs(1) };

    fn at(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    fn begun() -> (Breaker, Instant) {
        (Breaker::new(TIMES), Instant::now())
    }

    #[test]
    fn ten_seconds_of_silence_open_it_and_the_latest_keeps_its_budget() {
        let (mut breaker, start) = begun();
        let first = breaker.begin(start);
        assert_eq!(breaker.look(first, start), Look::Wait(Some(at(start, 10.0))));
        let second = breaker.begin(at(start, 9.5));
        assert_eq!(breaker.look(second, at(start, 9.5)), Look::Wait(Some(at(start, 10.0))));
        assert_eq!(breaker.look(second, at(start, 10.0)), Look::Wait(None), "the probe");
        assert!(breaker.open().is_some());
        assert_eq!(breaker.look(first, at(start, 10.0)), Look::Cut(Duration::from_secs(10)));
        breaker.end(first, at(start, 10.0), End::Silent);
        let third = breaker.begin(at(start, 11.0));
        assert_eq!(breaker.look(third, at(start, 11.0)), Look::Wait(Some(at(start, 12.0))));
        assert_eq!(breaker.look(third, at(start, 12.0)), Look::Cut(Duration::from_secs(12)));
    }

    #[test]
    fn who_waits_alone_is_never_cut() {
        let (mut breaker, start) = begun();
        let only = breaker.begin(start);
        assert_eq!(breaker.look(only, at(start, 10.0)), Look::Wait(None));
        breaker.end(only, at(start, 13.0), End::Silent);
        let next = breaker.begin(at(start, 60.0));
        assert_eq!(breaker.look(next, at(start, 60.0)), Look::Wait(None));
        assert_eq!(breaker.look(next, at(start, 70.0)), Look::Wait(None));
    }

    #[test]
    fn a_probe_that_ends_without_an_answer_makes_the_next_one_it() {
        let (mut breaker, start) = begun();
        let probe = breaker.begin(start);
        breaker.look(probe, at(start, 10.0));
        let other = breaker.begin(at(start, 12.5));
        breaker.end(probe, at(start, 13.0), End::Silent);
        assert_eq!(breaker.look(other, at(start, 13.5)), Look::Wait(None));
        breaker.end(other, at(start, 14.0), End::Spoken);
        let next = breaker.begin(at(start, 15.0));
        assert_eq!(breaker.look(next, at(start, 17.0)), Look::Wait(None));
        let after = breaker.begin(at(start, 17.0));
        assert!(matches!(breaker.look(after, at(start, 18.0)), Look::Cut(_)));
    }

    #[test]
    fn an_answer_to_anybody_closes_it_and_keeps_it_closed() {
        let (mut breaker, start) = begun();
        let hung = breaker.begin(start);
        breaker.answered(at(start, 9.0));
        assert_eq!(breaker.look(hung, at(start, 10.0)), Look::Wait(Some(at(start, 19.0))));
        assert_eq!(breaker.look(hung, at(start, 19.0)), Look::Wait(None));
        assert!(breaker.open().is_some());
        breaker.answered(at(start, 20.0));
        assert!(breaker.open().is_none());
        let later = breaker.begin(at(start, 20.5));
        assert_eq!(breaker.look(later, at(start, 29.0)), Look::Wait(Some(at(start, 30.0))));
    }

    #[test]
    fn refusals_never_open_it_however_many_overlap() {
        let (mut breaker, start) = begun();
        let mut waiting = breaker.begin(start);
        for step in 1..400 {
            let now = at(start, f64::from(step) * 0.1);
            let next = breaker.begin(now);
            breaker.end(waiting, now, End::Spoken);
            assert!(matches!(breaker.look(next, now), Look::Wait(Some(_))));
            waiting = next;
        }
        assert!(breaker.open().is_none());
    }

    #[test]
    fn waits_shorter_than_the_silence_open_it_together() {
        let (mut breaker, start) = begun();
        for n in 0..4_u32 {
            let began = at(start, f64::from(n) * 3.0);
            let wait = breaker.begin(began);
            assert_eq!(breaker.open(), None, "{n}");
            breaker.look(wait, at(began, 2.9));
            breaker.end(wait, at(began, 3.0), End::Silent);
        }
        assert!(breaker.open().is_some());
    }

    #[test]
    fn silence_while_nobody_asks_says_nothing() {
        let (mut breaker, start) = begun();
        let short = breaker.begin(start);
        breaker.end(short, at(start, 3.0), End::Silent);
        let later = breaker.begin(at(start, 3600.0));
        assert_eq!(breaker.look(later, at(start, 3600.0)), Look::Wait(Some(at(start, 3610.0))));
    }

    /// What the breaker is to do, told over the whole history.
    #[derive(Default)]
    struct Model {
        waits: Vec<(Ticket, Instant)>,
        last_answer: Option<Instant>,
    }

    #[test]
    fn random_histories_keep_the_promises() {
        for seed in 1..200_u64 {
            history(seed);
        }
    }

    fn history(seed: u64) {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = move |below: u64| {
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let (mut breaker, mut now) = begun();
        let mut model = Model::default();
        for step in 0..400 {
            now += Duration::from_millis(next(900));
            let index = |len: usize, n: u64| usize::try_from(n).unwrap() % len;
            match next(10) {
                0..=3 => model.waits.push((breaker.begin(now), now)),
                4 if next(4) == 0 => {
                    breaker.answered(now);
                    model.last_answer = Some(now);
                    assert!(breaker.open().is_none(), "{seed} {step}: an answer closes it");
                }
                5 if !model.waits.is_empty() => {
                    let (ticket, _) = model.waits.remove(index(model.waits.len(), next(1_000)));
                    breaker.end(ticket, now, End::Spoken);
                }
                _ => {}
            }
            let mut full = 0;
            let mut cut = Vec::new();
            let was_open = breaker.open().is_some();
            for (ticket, began) in &model.waits {
                match breaker.look(*ticket, now) {
                    Look::Wait(Some(then)) => assert!(then > now, "{seed} {step}: no busy looking"),
                    Look::Wait(None) => full += 1,
                    Look::Cut(silence) => {
                        assert!(breaker.open().is_some(), "{seed} {step}: closed, nobody is cut");
                        assert!(now - *began >= TIMES.short_wait, "{seed} {step}: 1 s is left");
                        let heard = model.last_answer.map(|answer| now - answer);
                        assert!(heard.is_none_or(|heard| heard >= silence), "{seed} {step}");
                        cut.push(*ticket);
                    }
                }
            }
            if !was_open && breaker.open().is_some() {
                let heard = model.last_answer.map(|answer| now - answer);
                let heard = heard.is_none_or(|heard| heard >= TIMES.silence);
                assert!(heard && !model.waits.is_empty(), "{seed} {step}: opened too soon");
            }
            let expected = usize::from(breaker.open().is_some() && !model.waits.is_empty());
            assert_eq!(full, expected, "{seed} {step}: one keeps its full budget");
            for ticket in cut {
                model.waits.retain(|(own, _)| *own != ticket);
                breaker.end(ticket, now, End::Silent);
            }
        }
    }
}
