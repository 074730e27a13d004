//! Panics end at the edge of the request in which they happen.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::telemetry::metrics::Metrics;

/// What a future gives; its panic's message if it panics, counted and logged with `what` it was.
pub(super) fn caught<'f, T>(
    metrics: &'f Metrics,
    what: &'static str,
    future: impl Future<Output = T> + Send + 'f,
) -> impl Future<Output = Result<T, String>> + Send + 'f {
    // Boxed, so that who waits for it does not hold the room for it while it does nothing.
    let mut future = Box::pin(future);
    let polled =
        poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        });
    async move { polled.await.map_err(|panic| told(metrics, what, &*panic)) }
}

/// The same for what is done at once.
pub(super) fn caught_now<T>(
    metrics: &Metrics,
    what: &'static str,
    work: impl FnOnce() -> T,
) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| told(metrics, what, &*panic))
}

fn told(metrics: &Metrics, what: &'static str, panic: &(dyn Any + Send)) -> String {
    let message = message(panic);
    metrics.panicked();
    tracing::error!(what, panic = message, "a panic was caught; please report it");
    message
}

/// A panic's message.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::instruments;

    #[tokio::test]
    async fn a_panic_is_a_message_and_is_counted() {
        let metrics = instruments().unwrap();
        assert_eq!(caught(&metrics, "a test", async { 7 }).await, Ok(7));
        let late = async {
            tokio::task::yield_now().await;
            panic!("found {}", 8)
        };
        let got: Result<(), _> = caught(&metrics, "a test", late).await;
        assert_eq!(got, Err("found 8".to_owned()));
        let got: Result<(), _> = caught_now(&metrics, "a test", || panic!("found 9"));
        assert_eq!(got, Err("found 9".to_owned()));
        assert!(metrics.render().contains("twiml_guard_panics_total 2\n"));
    }
}
