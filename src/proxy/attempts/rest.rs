//! Work that is done to its end, whoever started it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Work that is done where it is awaited, for as long as somebody does: what is left of it when
/// this is dropped goes on in a task of its own.
pub(super) struct Rest<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    tracker: TaskTracker,
}

impl<T: Send + 'static> Rest<T> {
    /// `tracker`: of whose tasks it becomes one, if need be.
    pub(super) fn new(
        tracker: &TaskTracker,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        Self { work: Some(Box::pin(work)), tracker: tracker.clone() }
    }
}

impl<T: Send + 'static> Future for Rest<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Nothing more comes of what is over.
        let Some(work) = &mut self.work else { return Poll::Pending };
        let done = ready!(work.as_mut().poll(cx));
        self.work = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for Rest<T> {
    fn drop(&mut self) {
        // Without a runtime nothing goes on anyway.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            self.tracker.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_goes_on() {
        let (tracker, done) = (TaskTracker::new(), Arc::new(AtomicU32::new(0)));
        let work = |done: &Arc<AtomicU32>| {
            let done = Arc::clone(done);
            async move {
                yield_now().await;
                done.fetch_add(1, Relaxed) + 1
            }
        };
        assert_eq!(Rest::new(&tracker, work(&done)).await, 1);
        assert!(tracker.is_empty());
        let mut begun = Rest::new(&tracker, work(&done));
        assert!(futures_util::poll!(&mut begun).is_pending());
        drop(begun);
        drop(Rest::new(&tracker, work(&done)));
        assert_eq!(tracker.len(), 2);
        tracker.close();
        tracker.wait().await;
        assert_eq!(done.load(Relaxed), 3);
    }
}
