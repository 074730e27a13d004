//! Calls the judge; a judge that panics must not cost the call.

use std::future::pending;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::caught::caught_now;
use crate::guard::policy::OnFault;
use crate::guard::{
    Delivery, DeliveryKind, Exchange, Failure, Judgement, Outcome, Policy, Seen, Verdict,
};
use crate::telemetry::metrics::Metrics;
use crate::twilio::Slot;

/// From so many bytes on, a body is looked at beside the worker: its streams must not wait for more
/// than 5 ms. What takes longest of this size (Hebrew in a code page, stray ampersands) takes 3.4 ms
/// in a release build; of twice the size 11 ms, of 1 MiB 320 ms.
const BIG: usize = 8 * 1024;

/// Room for what runs beside the workers: not more at a time than the machine has cores, so that
/// the workers get their share.
#[derive(Debug)]
pub(super) struct Beside(Semaphore);

impl Default for Beside {
    fn default() -> Self {
        Self(Semaphore::new(available_parallelism().map_or(1, NonZero::get)))
    }
}

impl Beside {
    /// A turn beside the worker; `None` if none comes `until` then.
    pub(super) async fn turn(&self, until: Option<Instant>) -> Option<Turn<'_>> {
        // Never closed.
        let turn = async { Turn { _permit: self.0.acquire().await.ok() } };
        match until {
            Some(until) => timeout_at(until.into(), turn).await.ok(),
            None => Some(turn.await),
        }
    }
}

/// Leave to work beside the worker.
#[derive(Debug)]
pub(super) struct Turn<'b> {
    _permit: Option<SemaphorePermit<'b>>,
}

impl Turn<'_> {
    /// What `work` gives, done beside the worker.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        match spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and who waits with it.
                Err(_) => pending().await,
            },
        }
    }
}

/// Whether an answer may take more than a moment to look at.
pub(super) fn is_long(outcome: &Outcome) -> bool {
    let Outcome::Answered(answer) = outcome else { return false };
    // What is packed may be a thousand times as large; gzip, zlib and zstd begin so, labelled or not.
    let is_packed = answer.headers.contains_key(CONTENT_ENCODING)
        || matches!(answer.body.first(), Some(0x1f | 0x78 | 0x28));
    answer.body.len() >= BIG || is_packed && !answer.body.is_empty()
}

/// Judges an answer in which nothing is to be found: at once, whatever its size. Its headers are
/// moved into the judgement. `None` for any other, which is left as it was.
pub(super) fn judge_fit(
    metrics: &Metrics,
    seen: &Mutex<Seen>,
    exchange: &mut Exchange,
    policy: &Policy,
) -> Option<Judgement> {
    let fit = caught_now(metrics, "judging an answer", || {
        seen.lock().unwrap_or_else(PoisonError::into_inner).fit(exchange, policy)
    });
    let fit = fit.ok()??;
    match &mut exchange.outcome {
        Outcome::Answered(answer) => Some(fit.take_from(answer)),
        Outcome::Failed(_) => None,
    }
}

/// Judges an exchange.
///
/// If `judge` panics, the exchange that comes back says so, as a failure of the guard, and that is
/// judged; in observe mode the original answer is delivered.
pub(super) fn judge_safely(
    metrics: &Metrics,
    exchange: Exchange,
    policy: &Policy,
    judge: impl Fn(&Exchange, &Policy) -> Judgement,
) -> (Judgement, Exchange) {
    let attempt =
        |exchange: &Exchange| caught_now(metrics, "judging an answer", || judge(exchange, policy));
    let panic = match attempt(&exchange) {
        Ok(judgement) => return (judgement, exchange),
        Err(panic) => panic,
    };
    if let (true, Outcome::Answered(answer)) = (policy.observe, &exchange.outcome) {
        let delivery = Delivery {
            status: answer.status,
            headers: answer.headers.clone(),
            body: answer.body.clone(),
            kind: DeliveryKind::Original,
        };
        return (bare(Verdict::Untouched, delivery), exchange);
    }
    let failure = Failure::Internal { detail: format!("the judge panicked: {panic}") };
    let exchange = Exchange { outcome: Outcome::Failed(failure), ..exchange };
    let judgement = attempt(&exchange)
        .unwrap_or_else(|_| bare(Verdict::Replaced, last_resort(exchange.slot, policy)));
    (judgement, exchange)
}

fn bare(verdict: Verdict, delivery: Delivery) -> Judgement {
    let (findings, decoded) = (Vec::new(), Bytes::new());
    Judgement { verdict, findings, delivery, withheld: None, decoded, spans: None }
}

/// What is delivered when even judging a failure failed.
pub(super) fn last_resort(slot: Slot, policy: &Policy) -> Delivery {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if policy.observe || policy.on_fault == OnFault::Fail {
        let status = StatusCode::BAD_GATEWAY;
        return Delivery { status, headers, body: Bytes::new(), kind: DeliveryKind::Refusal };
    }
    let Some(fallback) = policy.fallbacks.of(slot) else {
        let status = StatusCode::NO_CONTENT;
        return Delivery { status, headers, body: Bytes::new(), kind: DeliveryKind::Empty };
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    Delivery {
        status: StatusCode::OK,
        headers,
        body: fallback.body.clone(),
        kind: DeliveryKind::Fallback(fallback.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::guard::{Answer, BodyEnd, CallFacts, RequestFacts, judge};
    use crate::incidents::instruments;
    use crate::twilio::Params;

    fn metrics() -> Metrics {
        instruments().unwrap()
    }

    fn exchange(slot: Slot) -> Exchange {
        Exchange {
            slot,
            request: Arc::new(RequestFacts {
                method: Method::POST,
                target: "/voice".to_owned(),
                host: None,
                has_authorization: false,
                params: Params::default(),
                body: Bytes::new(),
            }),
            attempts: Vec::new(),
            outcome: Outcome::Answered(Answer {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::from_static(b"poison"),
                end: BodyEnd::Complete,
                odd: crate::guard::Oddities::default(),
            }),
            elapsed: Duration::ZERO,
            call: CallFacts::default(),
        }
    }

    fn panics_at_poison(exchange: &Exchange, policy: &Policy) -> Judgement {
        assert!(matches!(exchange.outcome, Outcome::Failed(_)), "found poison");
        judge(exchange, policy)
    }

    fn panics(_: &Exchange, _: &Policy) -> Judgement {
        panic!("found everything")
    }

    #[test]
    fn a_panic_is_judged_as_a_failure_of_the_guard() {
        let (judgement, exchange) =
            judge_safely(&metrics(), exchange(Slot::Voice), &Policy::default(), panics_at_poison);
        assert_eq!(judgement.verdict, Verdict::Replaced);
        assert_eq!(judgement.first_cause().unwrap().slug, "guard-failure");
        let Outcome::Failed(Failure::Internal { detail }) = exchange.outcome else {
            panic!("{exchange:?}")
        };
        assert_eq!(detail, "the judge panicked: found poison");
    }

    #[tokio::test]
    async fn a_turn_comes_when_one_is_over_or_not_in_time() {
        let beside = Beside(Semaphore::new(1));
        let soon = || Some(Instant::now() + Duration::from_millis(20));
        let first = beside.turn(None).await.unwrap();
        assert!(beside.turn(soon()).await.is_none());
        assert_eq!(first.run(|| 7).await, 7);
        assert!(beside.turn(soon()).await.is_some());
    }

    #[test]
    fn even_a_judge_that_always_panics_leaves_the_caller_something() {
        for slot in Slot::ALL {
            let (judgement, _) =
                judge_safely(&metrics(), exchange(slot), &Policy::default(), panics);
            let expected = Policy::default().fallbacks.of(slot).map(|own| own.body.clone());
            assert_eq!(judgement.delivery.body, expected.unwrap_or_default(), "{slot}");
        }
        let fail = Policy { on_fault: OnFault::Fail, ..Policy::default() };
        let (judgement, _) = judge_safely(&metrics(), exchange(Slot::Voice), &fail, panics);
        assert_eq!(judgement.delivery.status, StatusCode::BAD_GATEWAY);
    }

    #[test]
    fn a_fit_answer_is_judged_at_once_and_any_other_left_as_it_was() {
        let mut odd = exchange(Slot::Voice);
        assert!(judge_fit(&metrics(), &Mutex::default(), &mut odd, &Policy::default()).is_none());
        let mut fit = exchange(Slot::Voice);
        let Outcome::Answered(answer) = &mut fit.outcome else { panic!() };
        answer.body = Bytes::from_static(b"<Response/>");
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        let judgement =
            judge_fit(&metrics(), &Mutex::default(), &mut fit, &Policy::default()).unwrap();
        assert_eq!(judgement.verdict, Verdict::Untouched);
        assert_eq!(judgement.delivery.headers[CONTENT_TYPE], "text/xml");
    }

    #[test]
    fn observe_mode_delivers_the_original_all_the_same() {
        let policy = Policy { observe: true, ..Policy::default() };
        let (judgement, _) = judge_safely(&metrics(), exchange(Slot::Voice), &policy, panics);
        assert_eq!(judgement.delivery.body, "poison");
    }
}
