//! Calls the judge; a judge that panics must not cost the call.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::guard::policy::OnFault;
use crate::guard::{
    Delivery, DeliveryKind, Exchange, Failure, Judgement, Outcome, Policy, Verdict,
};
use crate::twilio::Slot;

/// Judges an exchange.
///
/// If `judge` panics, the exchange that comes back says so, as a failure of the guard, and that is
/// judged; in observe mode the original answer is delivered.
pub(super) fn judge_safely(
    exchange: Exchange,
    policy: &Policy,
    judge: impl Fn(&Exchange, &Policy) -> Judgement,
) -> (Judgement, Exchange) {
    let attempt = |exchange: &Exchange| catch_unwind(AssertUnwindSafe(|| judge(exchange, policy)));
    let panic = match attempt(&exchange) {
        Ok(judgement) => return (judgement, exchange),
        Err(panic) => message(&*panic),
    };
    tracing::error!(panic, "the judge panicked; please report it with the backend's answer");
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

/// What `decide` decides; nothing, if it panics.
pub(super) fn or_none<T>(decide: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
        let panic = message(&*panic);
        tracing::error!(panic, "deciding on a second request panicked; none is sent");
        None
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

fn bare(verdict: Verdict, delivery: Delivery) -> Judgement {
    Judgement { verdict, findings: Vec::new(), delivery, withheld: None, decoded: Bytes::new() }
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
    use std::time::Duration;

    use http::Method;

    use super::*;
    use crate::guard::{Answer, BodyEnd, CallFacts, RequestFacts, judge};
    use crate::twilio::Params;

    fn exchange(slot: Slot) -> Exchange {
        Exchange {
            slot,
            request: RequestFacts {
                method: Method::POST,
                target: "/voice".to_owned(),
                host: None,
                has_authorization: false,
                params: Params::default(),
                body: Bytes::new(),
            },
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
            judge_safely(exchange(Slot::Voice), &Policy::default(), panics_at_poison);
        assert_eq!(judgement.verdict, Verdict::Replaced);
        assert_eq!(judgement.first_cause().unwrap().slug, "guard-failure");
        let Outcome::Failed(Failure::Internal { detail }) = exchange.outcome else {
            panic!("{exchange:?}")
        };
        assert_eq!(detail, "the judge panicked: found poison");
    }

    #[test]
    fn even_a_judge_that_always_panics_leaves_the_caller_something() {
        for slot in Slot::ALL {
            let (judgement, _) = judge_safely(exchange(slot), &Policy::default(), panics);
            let expected = Policy::default().fallbacks.of(slot).map(|own| own.body.clone());
            assert_eq!(judgement.delivery.body, expected.unwrap_or_default(), "{slot}");
        }
        let fail = Policy { on_fault: OnFault::Fail, ..Policy::default() };
        let (judgement, _) = judge_safely(exchange(Slot::Voice), &fail, panics);
        assert_eq!(judgement.delivery.status, StatusCode::BAD_GATEWAY);
    }

    #[test]
    fn observe_mode_delivers_the_original_all_the_same() {
        let policy = Policy { observe: true, ..Policy::default() };
        let (judgement, _) = judge_safely(exchange(Slot::Voice), &policy, panics);
        assert_eq!(judgement.delivery.body, "poison");
    }
}
