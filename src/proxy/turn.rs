//! Whose turn it is on a worker.

use std::future::poll_fn;
use std::task::Poll;

/// Lets the worker's other tasks go first that are ready now; at once, if there are none.
///
/// Awaited before a write: what the tasks of one turn have to write leaves together then. Whoever
/// reads it is woken once, not for each of them: to wake a process that sleeps costs the writer more
/// than to write.
pub(super) async fn others_first() {
    let mut is_mine = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_mine, true) {
            return Poll::Ready(());
        }
        // Behind those that wait already. `yield_now` would ask the system for more of them first.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn those_that_are_ready_go_first() {
        let order = Arc::<Mutex<String>>::default();
        let tasks: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let order = Arc::clone(&order);
                tokio::spawn(async move {
                    order.lock().unwrap().push_str(name);
                    others_first().await;
                    order.lock().unwrap().push_str(&name.to_uppercase());
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), "abcABC");
    }
}
