//! The fast path: answers in which nothing at all can be found, known in one pass without a copy.
//!
//! [`fit`] answers for certain or not at all. What it does not take is judged in full, so that it
//! may be as cautious as it likes; common documents should pass. What it takes is judged as the
//! full judge would: untouched, without findings. `tests/fast.rs` and the fuzz target `fast` hold
//! both against each other. Behind a byte order mark, too, it spares the full reader.

mod elements;
mod prose;
mod scan;
mod seen;
mod survey;
mod tables;
mod url;

use std::mem::take;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};

pub use self::seen::Seen;
pub(in crate::guard) use self::tables::names;

use super::charset::is_utf8;
use super::cookies;
use super::exchange::{Answer, AttemptReason, BodyEnd, Exchange, Oddities, Outcome};
use super::handed::Spans;
use super::judgement::{Delivery, DeliveryKind, Judgement, Verdict};
use super::media::ContentType;
use super::policy::Policy;
use crate::twilio::limits;

/// An answer that leaves as it is, without a finding.
#[derive(Debug)]
pub struct Fit {
    spans: Arc<Spans>,
}

/// Whether nothing can be found in an answer, for certain; `None` says nothing about it.
///
/// Bounded: one pass over at most 64 kB, some tens of microseconds.
pub fn fit(exchange: &Exchange, policy: &Policy) -> Option<Fit> {
    let answer = plain(exchange, policy)?;
    let survey = survey::survey(&answer.body)?;
    let own = url::Own::of(policy, &exchange.request);
    let spans = scan::scan(survey, exchange.slot, &own)?;
    Some(Fit { spans: Arc::new(spans) })
}

/// Whether nothing could be found in an answer if this were its body: the body as text, without
/// what stood before it. Gives where its URLs stand.
///
/// [`fit`] of an answer with that body would take it: so the full judge finds nothing in it.
pub(in crate::guard) fn fit_within(
    exchange: &Exchange,
    policy: &Policy,
    text: &str,
) -> Option<Arc<Spans>> {
    plain(exchange, policy)?;
    let own = url::Own::of(policy, &exchange.request);
    let spans = scan::scan(survey::survey(text.as_bytes())?, exchange.slot, &own)?;
    Some(Arc::new(spans))
}

/// The answer, if nothing can be found in what is around its body.
fn plain<'e>(exchange: &'e Exchange, policy: &Policy) -> Option<&'e Answer> {
    let Outcome::Answered(answer) = &exchange.outcome else { return None };
    let is_first = match exchange.attempts.as_slice() {
        [] => true,
        [only] => only.reason == AttemptReason::First,
        _ => false,
    };
    let is_plain = exchange.slot.takes_twiml()
        && answer.status.as_u16() == 200
        && is_first
        && exchange.elapsed <= policy.slow_after
        && answer.end == BodyEnd::Complete
        && answer.body.len() <= limits::MAX_TWIML_BYTES
        && answer.odd == Oddities::default()
        && has_plain_head(&answer.headers);
    is_plain.then_some(answer)
}

/// Whether no header stands in the way: a type that is TwiML's, no coding, no cookie that Twilio
/// refuses.
fn has_plain_head(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else { return false };
    (is_usual(content_type) || is_plain_type(headers))
        && !headers.contains_key(header::CONTENT_ENCODING)
        && cookies::are_all_acceptable(headers)
}

fn is_usual(content_type: &HeaderValue) -> bool {
    let usual: [&[u8]; 4] =
        [b"text/xml", b"text/xml; charset=utf-8", b"application/xml", b"text/xml;charset=utf-8"];
    usual.iter().any(|usual| usual.eq_ignore_ascii_case(content_type.as_bytes()))
}

fn is_plain_type(headers: &HeaderMap) -> bool {
    let content_type = ContentType::of(headers);
    content_type.media().is_some_and(|media| {
        matches!(media.essence.as_str(), "text/xml" | "application/xml")
            && media.charset.as_deref().is_none_or(is_utf8)
    })
}

impl Fit {
    /// What the judge says of the answer.
    pub fn judgement(self, answer: &Answer) -> Judgement {
        self.with_headers(answer, answer.headers.clone())
    }

    /// The same with the answer's headers taken out of it, which saves a copy.
    pub fn take_from(self, answer: &mut Answer) -> Judgement {
        let headers = take(&mut answer.headers);
        self.with_headers(answer, headers)
    }

    fn with_headers(self, answer: &Answer, mut headers: HeaderMap) -> Judgement {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        let delivery = Delivery {
            status: answer.status,
            headers,
            body: answer.body.clone(),
            kind: DeliveryKind::Original,
        };
        Judgement {
            verdict: Verdict::Untouched,
            findings: Vec::new(),
            delivery,
            withheld: None,
            decoded: answer.body.clone(),
            spans: Some(self.spans),
        }
    }
}
