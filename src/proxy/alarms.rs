//! Timers that are used again.
//!
//! Nearly no request needs its timer to ring, and setting one costs more than leaving it. One that is
//! set to an earlier time than it is needed for stays as it is: it rings once for nothing, and is set
//! anew then.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Most timers that are kept.
const MAX_SPARE: usize = 1024;

/// The timers of one worker. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Alarms(Arc<Mutex<Vec<Pin<Box<Sleep>>>>>);

/// Rings at a time, not before it. It has a timer from the first time on that it is waited for.
#[derive(Debug)]
pub(super) struct Alarm {
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    all: Alarms,
}

impl Alarms {
    /// Rings then.
    pub(super) fn at(&self, until: std::time::Instant) -> Alarm {
        Alarm { until: until.into(), timer: None, all: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pin<Box<Sleep>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alarm {
    /// Whether its time has come.
    pub(super) fn is_over(&self) -> bool {
        self.until <= Instant::now()
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { until, timer, all } = &mut *self;
        let until = *until;
        let spare = || all.lock().pop();
        let timer =
            timer.get_or_insert_with(|| spare().unwrap_or_else(|| Box::pin(sleep_until(until))));
        if timer.deadline() > until {
            timer.as_mut().reset(until);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if until <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(timer) = self.timer.take() else { return };
        let mut spare = self.all.lock();
        if spare.len() < MAX_SPARE {
            spare.push(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_was_used_before_rings_at_its_new_time() {
        let (alarms, start) = (Alarms::default(), Instant::now());
        for (rings_after, waited) in [(9, 2), (3, 3), (20, 10), (1, 1), (30, 30), (31, 31)] {
            let (began, until) = (Instant::now(), Instant::now() + SECOND * rings_after);
            let mut alarm = alarms.at(until.into_std());
            let rang = timeout(SECOND * waited + SECOND / 2, &mut alarm).await.is_ok();
            assert_eq!(rang, rings_after == waited, "{rings_after} {waited}");
            assert_eq!(alarm.is_over(), rang);
            assert!(!rang || began.elapsed() < SECOND * rings_after + SECOND / 100);
        }
        assert_eq!(alarms.lock().len(), 1, "one timer for all of them");
        assert!(start.elapsed() > SECOND * 70);
    }
}
