//! From an assessment to what leaves: verdict, status, headers, body.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::assess::{Assessment, Verdictless, empty_is_enough};
use super::causes::{Level, document, stream};
use super::cookies;
use super::exchange::{Answer, Exchange, Outcome};
use super::fallback::Fallback;
use super::finding::Finding;
use super::judgement::{Delivery, DeliveryKind, Judgement, Verdict};
use super::policy::{OnFault, Policy};
use crate::twilio::{Slot, call};

/// Calls get at most this many fallbacks that steer them (design, section 4).
const MAX_STEERING_FALLBACKS: u32 = 3;

/// `text/xml; charset=utf-8`.
const TWIML_TYPE: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// `text/plain; charset=utf-8`.
const PROSE_TYPE: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Decides what leaves.
pub fn deliver(exchange: &Exchange, policy: &Policy, assessment: Assessment) -> Judgement {
    let Assessment { findings, outcome, decoded } = assessment;
    let answer = match &exchange.outcome {
        Outcome::Answered(answer) => Some(answer),
        Outcome::Failed(_) => None,
    };
    let spans = match &outcome {
        Verdictless::Bared(_, spans) => Some(Arc::clone(spans)),
        _ => None,
    };
    let (verdict, enforced) = match (outcome, answer) {
        (Verdictless::Accepted, Some(answer)) => (Verdict::Untouched, original(answer)),
        (Verdictless::AcceptedLater, Some(answer)) => (
            Verdict::Repaired,
            repaired(answer, answer.body.clone(), answer.headers.get(header::CONTENT_TYPE)),
        ),
        (Verdictless::Cleaned, Some(answer)) => (Verdict::Repaired, cleaned(answer)),
        (Verdictless::Document(body) | Verdictless::Bared(body, _), Some(answer)) => {
            (Verdict::Repaired, repaired(answer, body, Some(&TWIML_TYPE)))
        }
        (Verdictless::Prose(body), Some(answer)) => {
            (Verdict::Repaired, repaired(answer, body, Some(&PROSE_TYPE)))
        }
        (Verdictless::Sound(body), Some(answer)) => {
            (Verdict::Repaired, repaired(answer, body, answer.headers.get(header::CONTENT_TYPE)))
        }
        (Verdictless::Acknowledged, answer) => {
            (Verdict::Repaired, in_place(exchange, policy, answer, &findings, true))
        }
        (Verdictless::SignAgain(body), answer) => {
            (Verdict::Repaired, own(answer, body, DeliveryKind::Redirect))
        }
        (Verdictless::Empty, answer) => {
            (Verdict::Replaced, in_place(exchange, policy, answer, &findings, true))
        }
        (_, answer) => (Verdict::Replaced, in_place(exchange, policy, answer, &findings, false)),
    };
    let findings = in_order(findings);
    if policy.observe && verdict != Verdict::Untouched {
        let shown = answer.map_or_else(|| refusal(&findings), original);
        let withheld = Some(enforced);
        return Judgement { verdict, findings, delivery: shown, withheld, decoded, spans: None };
    }
    Judgement { verdict, findings, delivery: enforced, withheld: None, decoded, spans }
}

/// Faults that nothing removed first, then those that a repair removed, then warnings; repaired
/// ones in the order of the stages (of the others, the one that says most was found first).
fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| match (finding.cause.level, finding.repair) {
        (Level::Fault, None) => (0, None),
        (Level::Fault, Some(_)) => (1, Some(finding.cause.stage)),
        (Level::Warning, _) => (2, None),
    });
    findings
}

fn original(answer: &Answer) -> Delivery {
    let mut headers = answer.headers.clone();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    Delivery {
        status: answer.status,
        headers,
        body: answer.body.clone(),
        kind: DeliveryKind::Original,
    }
}

/// The answer as it is, but for its cookies and for what its head had besides.
fn cleaned(answer: &Answer) -> Delivery {
    let mut delivery = Delivery { kind: DeliveryKind::Repaired, ..original(answer) };
    for validator in [header::ETAG, header::LAST_MODIFIED] {
        delivery.headers.remove(validator);
    }
    delivery.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    keep_cookies(&mut delivery.headers, answer);
    delivery
}

/// Headers that speak of the original bytes, or of how they came.
const OF_THE_ORIGINAL: [HeaderName; 16] = [
    header::ACCEPT_RANGES,
    header::AGE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::PRAGMA,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::WWW_AUTHENTICATE,
    header::RETRY_AFTER,
];

/// The same, of names that http has no constant for.
const DIGESTS: [&str; 4] = ["content-md5", "digest", "content-digest", "repr-digest"];

fn repaired(answer: &Answer, body: Bytes, content_type: Option<&HeaderValue>) -> Delivery {
    let mut headers = answer.headers.clone();
    drop_what_speaks_of_the_original(&mut headers);
    keep_cookies(&mut headers, answer);
    headers.insert(header::CONTENT_TYPE, content_type.cloned().unwrap_or(TWIML_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Delivery { status: StatusCode::OK, headers, body, kind: DeliveryKind::Repaired }
}

fn drop_what_speaks_of_the_original(headers: &mut HeaderMap) {
    // Few are there: to ask for each that might be costs more. In the order of the list, for the
    // last header takes the place of one that goes.
    let mut there = 0_u32;
    let mut has_digest = false;
    for name in headers.keys() {
        match OF_THE_ORIGINAL.iter().position(|own| own == name) {
            Some(at) => there |= 1 << at,
            None => has_digest |= DIGESTS.contains(&name.as_str()),
        }
    }
    for (_, name) in OF_THE_ORIGINAL.iter().enumerate().filter(|(at, _)| there >> at & 1 == 1) {
        headers.remove(name);
    }
    if has_digest {
        for name in DIGESTS {
            headers.remove(name);
        }
    }
}

/// TwiML of our own: of the origin's headers only the cookies are kept.
fn own(answer: Option<&Answer>, body: Bytes, kind: DeliveryKind) -> Delivery {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, TWIML_TYPE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(answer) = answer {
        keep_cookies(&mut headers, answer);
    }
    Delivery { status: StatusCode::OK, headers, body, kind }
}

fn keep_cookies(headers: &mut HeaderMap, answer: &Answer) {
    headers.remove(header::SET_COOKIE);
    for cookie in cookies::of(answer).kept {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// What takes the place of an answer that can't be delivered.
fn in_place(
    exchange: &Exchange,
    policy: &Policy,
    answer: Option<&Answer>,
    findings: &[Finding],
    empty: bool,
) -> Delivery {
    let acknowledged = findings.iter().any(|finding| finding.is(&document::acknowledgement::CAUSE));
    let nobody_listens = exchange.slot.is_voice() && call::is_over(&exchange.request.params);
    let enough = nobody_listens
        || (empty && empty_is_enough(exchange, policy))
        || (acknowledged
            && exchange.slot == Slot::Messaging
            && answer.is_some_and(|answer| answer.status.is_success()));
    match exchange.slot {
        Slot::Stream => return refusal(findings),
        Slot::Callback => {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return Delivery {
                status: StatusCode::NO_CONTENT,
                headers,
                body: Bytes::new(),
                kind: DeliveryKind::Empty,
            };
        }
        _ if enough => {
            let body =
                Bytes::from_static(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response/>");
            return own(answer, body, DeliveryKind::Empty);
        }
        _ => {}
    }
    if policy.on_fault == OnFault::Fail {
        return refusal(findings);
    }
    match fallback(exchange, policy) {
        Some(fallback) => {
            own(answer, fallback.body.clone(), DeliveryKind::Fallback(fallback.name.clone()))
        }
        None => refusal(findings),
    }
}

/// The slot's fallback; plain speech once the call was steered often enough.
fn fallback<'p>(exchange: &Exchange, policy: &'p Policy) -> Option<&'p Fallback> {
    let own = policy.fallbacks.of(exchange.slot)?;
    if own.steers && exchange.call.steering_fallbacks >= MAX_STEERING_FALLBACKS {
        return policy.plain_fallbacks.of(exchange.slot);
    }
    Some(own)
}

/// A 502 that says why, for Twilio's own Fallback URL to take over; to a handshake that is none,
/// the 426 that names what is missing.
fn refusal(findings: &[Finding]) -> Delivery {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, PROSE_TYPE);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let why = findings.first().map_or("no answer", |finding| finding.cause.explain);
    let is_no_handshake =
        findings.first().is_some_and(|f| f.is(&stream::stream_upgrade_lost::CAUSE));
    let status =
        if is_no_handshake { StatusCode::UPGRADE_REQUIRED } else { StatusCode::BAD_GATEWAY };
    Delivery {
        status,
        headers,
        body: Bytes::from(format!("twiml-guard: {why}\n")),
        kind: DeliveryKind::Refusal,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OTHERS: [&str; 6] = ["server", "set-cookie", "x-a", "link", "vary", "date"];

    proptest! {
        #[test]
        fn what_speaks_of_the_original_goes_and_the_rest_keeps_its_order(
            picked in prop::collection::vec(0..26_usize, 0..30),
        ) {
            let all = OF_THE_ORIGINAL.map(|name| name.as_str().to_owned()).into_iter();
            let all: Vec<_> = all.chain(DIGESTS.iter().chain(&OTHERS).map(|n| (*n).to_owned())).collect();
            let mut headers = HeaderMap::new();
            for (at, pick) in picked.into_iter().enumerate() {
                headers.append(HeaderName::from_bytes(all[pick].as_bytes()).unwrap(), at.into());
            }
            // The plain form: each of the list asked for.
            let mut expected = headers.clone();
            for name in OF_THE_ORIGINAL.iter().map(HeaderName::as_str).chain(DIGESTS) {
                expected.remove(name);
            }
            drop_what_speaks_of_the_original(&mut headers);
            prop_assert_eq!(
                headers.iter().collect::<Vec<_>>(),
                expected.iter().collect::<Vec<_>>()
            );
        }
    }
}
