//! Holds the fast path against the full judge.

use twiml_guard::guard::{
    Delivery, Exchange, Judgement, Policy, Verdict, fit, handed_out, handed_out_by, judge,
    judge_by_reading,
};

/// Where both judgements differ.
pub fn differing(exchange: &Exchange, policy: &Policy) -> Option<String> {
    let is_fast = fit(exchange, policy).is_some();
    let (own, full) = (judge(exchange, policy), judge_by_reading(exchange, policy));
    if is_fast && (full.verdict != Verdict::Untouched || !full.findings.is_empty()) {
        return Some(format!("fit, but judged in full {}", shown(&full)));
    }
    let delivered = |judgement: &Judgement| {
        let Delivery { status, headers, body, kind } = judgement.delivery.clone();
        (status, headers, body, kind, judgement.decoded.clone())
    };
    if own.verdict != full.verdict
        || delivered(&own) != delivered(&full)
        || shown(&own) != shown(&full)
    {
        return Some(format!("{}\nin full {}", shown(&own), shown(&full)));
    }
    let hands = |judgement: &Judgement| {
        handed_out_by(&exchange.request, exchange.slot, judgement, policy, "POST /voice")
    };
    let read = handed_out(&exchange.request, exchange.slot, &full.delivery, policy, "POST /voice");
    if *hands(&own) != *read || *hands(&full) != *read {
        return Some(format!("hands out {:?}\nin full {read:?}", hands(&own)));
    }
    None
}

fn shown(judgement: &Judgement) -> String {
    format!("{:?} {:?} {:?}", judgement.verdict, judgement.findings, judgement.withheld)
}
