//! How a thread behind a bounded queue is asked to finish.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time for a full queue to take the wish to finish, where others wait to be asked.
pub(super) const MOMENT: Duration = Duration::from_millis(100);

/// A thread that was asked to finish.
#[derive(Debug)]
pub(super) struct Ending {
    finished: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Ending {
    /// Waits until it has finished, at most until `deadline`.
    pub(super) fn wait(self, deadline: Instant) {
        let is_done = self.finished.recv_timeout(left(deadline)).is_ok();
        if let Some(thread) = self.thread.filter(|_| is_done) {
            // It said that it is done: it ends at once.
            let _ = thread.join();
        }
    }
}

/// Asks the thread behind `queue` to do what waits and to end, with the message that `make` makes;
/// `None` if the queue stays full until `deadline`, or the thread is gone.
pub(super) fn ask<M>(
    queue: &SyncSender<M>,
    thread: Option<JoinHandle<()>>,
    deadline: Instant,
    make: impl FnOnce(SyncSender<()>) -> M,
) -> Option<Ending> {
    let (done, finished) = sync_channel(1);
    let mut message = make(done);
    while let Err(error) = queue.try_send(message) {
        let TrySendError::Full(back) = error else { return None };
        if left(deadline).is_zero() {
            return None;
        }
        message = back;
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(Ending { finished, thread })
}

/// Asks, and waits.
pub(super) fn finish<M>(
    queue: &SyncSender<M>,
    thread: Option<JoinHandle<()>>,
    deadline: Instant,
    make: impl FnOnce(SyncSender<()>) -> M,
) {
    if let Some(ending) = ask(queue, thread, deadline, make) {
        ending.wait(deadline);
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
