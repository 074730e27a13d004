//! Taking messages off a queue many at a time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// How long messages gather behind one that was taken. To wake a thread costs more than most
/// messages do; nobody reads a log or a store this closely.
const PAUSE: Duration = Duration::from_millis(5);

/// The end of a queue whose thread is woken at most once in a while, however much is sent.
#[derive(Debug)]
pub struct Batched<'q, T> {
    queue: &'q Receiver<T>,
    /// Whether something was taken since it last paused.
    took: bool,
}

impl<'q, T> Batched<'q, T> {
    /// The end of this queue.
    pub fn new(queue: &'q Receiver<T>) -> Self {
        Self { queue, took: false }
    }

    /// The next message, waited for at most this long, or 5 ms where that is more.
    pub fn next(&mut self, wait: Duration) -> Result<T, RecvTimeoutError> {
        let mut next = self.queue.try_recv();
        if let (Err(TryRecvError::Empty), true) = (&next, self.took) {
            // Who sends meanwhile finds nobody to be woken.
            std::thread::sleep(PAUSE);
            next = self.queue.try_recv();
        }
        let next = match next {
            Ok(message) => Ok(message),
            Err(TryRecvError::Empty) => self.queue.recv_timeout(wait),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
        };
        self.took = next.is_ok();
        next
    }

    /// The next message, if it is there.
    pub fn at_hand(&mut self) -> Option<T> {
        self.queue.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::thread::{scope, sleep};
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn what_is_sent_soon_after_is_taken_together() {
        let (sender, queue) = sync_channel(100);
        let mut batched = Batched::new(&queue);
        sender.send(0).unwrap();
        assert_eq!(batched.next(LONG), Ok(0));
        let start = Instant::now();
        let taken = scope(|scope| {
            scope.spawn(|| (1..=3).for_each(|n| sender.send(n).unwrap()));
            batched.next(LONG)
        });
        assert_eq!(taken, Ok(1));
        assert!(start.elapsed() >= PAUSE, "{:?}", start.elapsed());
        assert_eq!((batched.next(LONG), batched.at_hand()), (Ok(2), Some(3)));
    }

    #[test]
    fn it_waits_no_longer_than_it_is_told_and_wakes_for_the_first_one() {
        let (sender, queue) = sync_channel(1);
        let mut batched = Batched::new(&queue);
        assert_eq!(batched.next(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let start = Instant::now();
        scope(|scope| {
            scope.spawn(|| {
                sleep(Duration::from_millis(20));
                sender.send(1).unwrap();
            });
            assert_eq!(batched.next(LONG), Ok(1));
        });
        assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
        drop(sender);
        assert_eq!(batched.next(LONG), Err(RecvTimeoutError::Disconnected));
    }
}
