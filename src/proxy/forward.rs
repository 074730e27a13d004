//! The requests that a guarded request becomes at the backend.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderValue, Method};

use super::alias;
use super::headers::{self, Sender, TWILIO_SIGNATURE};
use super::resigning::Signer;
use super::upstream::{Outgoing, Reuse};
use super::worker::Worker;
use crate::config::Upstream;
use crate::config::route::{Retry, Route};
use crate::guard::{AttemptReason, RequestBody as SecondBody, SecondRequest};
use crate::incidents::Sent;
use crate::twilio::Params;

/// Twilio's name for one attempt of a request, the same when it is repeated.
const IDEMPOTENCY_TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");

/// A request to the backend of a guarded route.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) reason: AttemptReason,
    first: (Arc<HeaderMap>, Bytes),
    /// Of a further request, where it differs from the first.
    further: Option<(Arc<HeaderMap>, Bytes)>,
    spelling: Extensions,
}

impl Outbound {
    /// The first one: as it came, but asking for an answer that can be judged.
    pub(super) fn first(
        worker: &Worker,
        route: &Route,
        parts: Parts,
        body: Bytes,
        sender: Sender,
    ) -> Self {
        let target = alias::target(&parts);
        let headers = worker.face.forward(parts.headers, sender);
        let mut headers = headers::ask_for_whole(headers);
        set_missing_host(&mut headers, route.upstream());
        let has_length = headers.contains_key(CONTENT_LENGTH) || !body.is_empty();
        if has_length && !headers::says_length(&headers, body.len()) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Self {
            method: parts.method,
            target,
            reason: AttemptReason::First,
            first: (Arc::new(headers), body),
            further: None,
            spelling: parts.extensions,
        }
    }

    /// Carries the signature for another URL than Twilio signed.
    pub(super) fn resign(&mut self, signer: &Signer, url: String) {
        let (headers, body) = self.further.take().unwrap_or_else(|| self.first.clone());
        let headers = resigned(Arc::unwrap_or_clone(headers), signer, &url);
        self.further = Some((Arc::new(headers), body));
        self.reason = AttemptReason::Resigned { url };
    }

    /// Carries the signature that Twilio would have made for the path that an alias maps to.
    pub(super) fn sign_as_mapped(&mut self, signer: &Signer) {
        if let Some(signature) = signer.sign_rewritten(self.target.as_str(), &signer.form()) {
            Arc::make_mut(&mut self.first.0).insert(TWILIO_SIGNATURE, signature);
        }
    }

    /// Becomes a further request. `false`, unchanged, if its target is no path, or if nobody can
    /// sign it that has to be signed.
    pub(super) fn become_second(&mut self, second: SecondRequest, signer: Option<&Signer>) -> bool {
        let Ok(target) = PathAndQuery::try_from(second.target) else { return false };
        let (headers, first_body) = self.first.clone();
        let mut headers = Arc::unwrap_or_clone(headers);
        let mut params = signer.map(Signer::form).unwrap_or_default();
        let body = match second.body {
            SecondBody::Same => first_body,
            SecondBody::Empty => {
                headers = headers::without_body(headers);
                params = Params::default();
                Bytes::new()
            }
            SecondBody::Form(form) => {
                params = Params::from_form(&form);
                headers = headers::without_body(headers);
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form_type);
                headers.insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
                form
            }
        };
        if second.as_https {
            headers::set_https(&mut headers);
        }
        if let AttemptReason::Resigned { url } = &second.reason {
            let Some(signer) = signer else { return false };
            headers = resigned(headers, signer, url);
        }
        let rewritten = signer.filter(|_| second.reason.rewrites());
        if let Some(signature) =
            rewritten.and_then(|signer| signer.sign_rewritten(target.as_str(), &params))
        {
            headers.insert(TWILIO_SIGNATURE, signature);
        }
        self.further = Some((Arc::new(headers), body));
        self.method = second.method;
        self.target = target;
        self.reason = second.reason;
        true
    }

    /// The request, ready to be sent.
    pub(super) fn request(&self) -> Outgoing {
        let (headers, body) = self.further.as_ref().unwrap_or(&self.first);
        Outgoing::whole(&self.method, self.target.as_str(), headers, &self.spelling, body)
    }

    /// The same for the record.
    pub(super) fn sent(&self) -> Sent {
        let (headers, body) = self.further.as_ref().unwrap_or(&self.first);
        Sent { headers: Arc::clone(headers), body_bytes: body.len(), ..Sent::default() }
    }

    /// Which kept connections it may use. A further request takes a new one: the backend may be
    /// about to close what the answer before came on.
    pub(super) fn reuse(&self) -> Reuse {
        if self.reason != AttemptReason::First {
            return Reuse::Never;
        }
        if self.is_safe() { Reuse::Any } else { Reuse::Fresh }
    }

    /// Whether it may be sent once more after its connection ended without a byte of an answer: the
    /// backend may have run it.
    pub(super) fn may_be_resent(&self, retry: Retry) -> bool {
        let is_known = || retry == Retry::Token && self.first.0.contains_key(IDEMPOTENCY_TOKEN);
        self.reason == AttemptReason::First && (self.is_safe() || is_known())
    }

    fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }
}

fn resigned(mut headers: HeaderMap, signer: &Signer, url: &str) -> HeaderMap {
    if let Some(signature) = signer.sign(url) {
        headers.insert(TWILIO_SIGNATURE, signature);
    }
    headers
}

/// A request of HTTP/1.0 may come without Host; HTTP/1.1 to the backend may not.
pub(super) fn set_missing_host(headers: &mut HeaderMap, upstream: &Upstream) {
    if !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::try_from(upstream.host_header())
    {
        headers.insert(HOST, host);
    }
}
