//! Signing anew: the token stays here, which URL is signed is decided in [`crate::guard`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderValue;

use super::asked::Asked;
use super::authenticate::Check;
use super::routing;
use crate::config::route::Route;
use crate::guard::call::Authenticity;
use crate::guard::{AttemptReason, Exchange, Policy, Rebuilt, rebuilt};
use crate::twilio::Params;
use crate::twilio::signature::AuthToken;

/// Signs one request, which Twilio signed before, for other URLs.
#[derive(Debug)]
pub(super) struct Signer {
    token: AuthToken,
    /// Scheme and authority of the URL that Twilio signed.
    origin: String,
    /// The form that Twilio posted; empty where it posted none. Signed by a few requests only, and
    /// read then.
    form: Bytes,
}

impl Signer {
    /// For a request whose signature was looked at and is Twilio's, where it may be signed anew.
    pub(super) fn of(asked: &Asked, policy: &Policy) -> Option<Self> {
        let Check::Done(checked) = &asked.check else { return None };
        if !policy.resign || policy.observe {
            return None;
        }
        let Authenticity::Genuine { url } = &checked.authenticity else { return None };
        let (token, body) = (checked.token.clone()?, asked.body.as_ref().ok()?);
        let form = if routing::is_form(&asked.parts) { body.clone() } else { Bytes::new() };
        let end = url.find("://").map_or(0, |at| at + 3);
        let length = url.get(end..)?.find(['/', '?']).map_or(url.len(), |at| end + at);
        Some(Self { token, origin: url.get(..length)?.to_owned(), form })
    }

    /// The value of the signature's header for a URL.
    pub(super) fn sign(&self, url: &str) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.token.sign(url, self.form().iter())).ok()
    }
}

impl Signer {
    /// The same for a request that was written anew: another path, another method, another form.
    pub(super) fn sign_rewritten(&self, target: &str, form: &Params) -> Option<HeaderValue> {
        let url = format!("{}{target}", self.origin);
        HeaderValue::from_str(&self.token.sign(&url, form.iter())).ok()
    }

    /// The parameters of the form that Twilio posted.
    pub(super) fn form(&self) -> Params {
        Params::from_form(&self.form)
    }
}

/// How the app behind each route was shown to rebuild its URLs. In memory only, and no more of them
/// than there are routes.
#[derive(Debug, Default)]
pub(super) struct KnownForms(Mutex<HashMap<String, Rebuilt>>);

impl KnownForms {
    /// What is known of the app behind a route.
    pub(super) fn of(&self, route: &Route) -> Option<Rebuilt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&route.name).cloned()
    }

    /// Learns from how an exchange ended.
    pub(super) fn learn(&self, route: &Route, exchange: &Exchange, policy: &Policy) {
        let form = rebuilt(exchange, policy);
        let first = exchange.attempts.first();
        let is_wrong = first.is_some_and(|attempt| {
            matches!(attempt.reason, AttemptReason::Resigned { .. }) && exchange.attempts.len() > 1
        });
        if form.is_none() && !is_wrong {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match form {
            Some(form) => known.insert(route.name.clone(), form),
            None => known.remove(&route.name),
        };
    }
}
