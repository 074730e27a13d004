//! The head of an answer, read where it arrives.
//!
//! Where the answer is judged, a head that HTTP readers would refuse, or of which they would hide
//! lines, is taken as far as a status can be read. Where it is passed on, a head that has more than
//! one reading ends the exchange.

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::ext::ReasonPhrase;

use super::OddHeads;
use crate::guard::Oddities;
use crate::guard::head::{self, Framing, Header, RawHead, Reading};
use crate::proxy::headers::tokens;
use crate::proxy::http1::spelt::Spelt;

/// First bytes of an answer that are kept for the record.
const KEPT: usize = 4 * 1024;

/// Most bytes before an answer's status line and headers are complete, interim answers included.
const MAX_HEAD: usize = 512 * 1024;

/// Most interim answers (1xx) before an answer.
const MAX_INTERIM: usize = 32;

/// Reads up to the head of the answer itself.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Where the interim answers end that were read.
    start: usize,
    interim: usize,
}

/// A head that is complete, and what came behind it.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) parts: Parts,
    pub(super) odd: Oddities,
    pub(super) framing: Framing,
    /// Whether the backend keeps the connection open afterwards.
    pub(super) keeps: bool,
    /// All that came so far, from the first interim answer on.
    pub(super) received: Bytes,
    /// The beginning of the body.
    pub(super) behind: Bytes,
}

impl Reader {
    /// Reads what came so far; all of it is taken once the head is complete. The error: why it is
    /// no answer.
    pub(super) fn read(
        &mut self,
        came: &mut BytesMut,
        odd_heads: OddHeads,
    ) -> Result<Option<Whole>, String> {
        loop {
            let head = match head::read(came.get(self.start..).unwrap_or_default()) {
                Reading::Partial if came.len() > MAX_HEAD => {
                    return Err(format!("more than {MAX_HEAD} bytes and still no complete head"));
                }
                Reading::Partial => return Ok(None),
                Reading::NoHead => {
                    return Err(unfit("no status can be read where it should stand"));
                }
                Reading::Head(head) => head,
            };
            if odd_heads == OddHeads::Refused
                && let Some(why) = head.unfit()
            {
                return Err(unfit(why));
            }
            if !head.status.is_informational() || head.status.as_u16() == 101 {
                let came = came.split().freeze();
                return Ok(Some(Whole::new(head, self.start, came, odd_heads)));
            }
            self.start += head.len;
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(format!("more than {MAX_INTERIM} interim answers and no answer"));
            }
        }
    }

    /// The first bytes of what came, for the record.
    pub(super) fn received(came: &[u8]) -> Bytes {
        Bytes::copy_from_slice(came.get(..KEPT).unwrap_or(came))
    }
}

fn unfit(why: &str) -> String {
    format!("the answer's head has more than one reading, or none: {why}")
}

impl Whole {
    /// `start`: where the head begins among what came.
    fn new(head: RawHead, start: usize, came: Bytes, odd_heads: OddHeads) -> Self {
        let (raw, behind) = (came.slice(start..start + head.len), came.slice(start + head.len..));
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = head.status;
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        let mut spelt = Spelt::default();
        let is_judged = odd_heads == OddHeads::Taken;
        for header in head.headers.iter().filter(|header| !(is_judged && header.is_doubted)) {
            let written = raw.get(header.name.clone()).unwrap_or_default();
            let Ok(name) = HeaderName::from_bytes(written) else { continue };
            let Some(value) = value(&raw, header) else { continue };
            spelt.note(&headers, &name, written);
            headers.append(name, value);
        }
        if !spelt.is_empty() {
            parts.extensions.insert(spelt);
        }
        let reason = raw.slice(head.reason.clone());
        if parts.status.canonical_reason().map(str::as_bytes) != Some(&reason)
            && let Some(reason) = phrase(&reason)
        {
            parts.extensions.insert(reason);
        }
        let closes = |token: &str| token.eq_ignore_ascii_case("close");
        let keeps = !head.is_old && !tokens(&headers, &CONNECTION).any(closes);
        parts.headers = headers;
        let framing = match head.great_length {
            Some(length) if !is_judged => Framing::Length(length),
            _ => head.framing,
        };
        Self { parts, odd: head.odd, framing, keeps, received: came, behind }
    }
}

fn value(raw: &Bytes, header: &Header) -> Option<HeaderValue> {
    if header.folded.is_empty() {
        HeaderValue::from_maybe_shared(raw.slice(header.value.clone())).ok()
    } else {
        HeaderValue::from_bytes(&header.joined(raw)).ok()
    }
}

/// The reason, without the control characters of an odd one.
fn phrase(reason: &[u8]) -> Option<ReasonPhrase> {
    let clean = || reason.iter().copied().filter(|b| !b.is_ascii_control()).collect::<Vec<_>>();
    ReasonPhrase::try_from(reason).or_else(|_| ReasonPhrase::try_from(clean())).ok()
}
