//! How a thread behind a bounded queue is asked to finish.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Asks the thread behind `queue` to do what waits and to end, with the message that `ask` makes;
/// whether it did so until `deadline`.
pub(super) fn finish<M>(
    queue: &SyncSender<M>,
    thread: Option<JoinHandle<()>>,
    deadline: Instant,
    ask: impl FnOnce(SyncSender<()>) -> M,
) -> bool {
    let (done, finished) = sync_channel(1);
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut message = ask(done);
    while let Err(error) = queue.try_send(message) {
        let TrySendError::Full(back) = error else { return false };
        if left().is_zero() {
            return false;
        }
        message = back;
        std::thread::sleep(Duration::from_millis(5));
    }
    let is_done = finished.recv_timeout(left()).is_ok();
    if let Some(thread) = thread.filter(|_| is_done) {
        // It said that it is done: it ends at once.
        let _ = thread.join();
    }
    is_done
}
