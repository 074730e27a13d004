//! The request that a pasted answer belongs to: what was said, what the paste shows, and what has to
//! be assumed.

use bytes::Bytes;
use http::{Method, Uri};

use super::super::{Policy, RequestFacts};
use super::paste::Paste;
use crate::twilio::{Params, Slot, recognise};

/// The request that a pasted answer is taken to belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// How that is known.
    pub slot_from: SlotFrom,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// The Host header.
    pub host: Option<String>,
    /// Scheme and host as asked, where known.
    pub origin: Option<String>,
    /// The form that was posted.
    pub form: Bytes,
}

/// How the slot is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotFrom {
    /// It was said.
    Said,
    /// The request's parameters show it.
    Parameters,
    /// The event is about a message.
    Event,
    /// Not at all: the default.
    Assumed,
}

impl SlotFrom {
    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Event => "event",
            Self::Parameters => "parameters",
            Self::Said => "said",
        }
    }
}

/// A text that is no whole URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole URL such as https://pbx.example.com/voice, found `{found}`")]
pub struct NotAUrl {
    /// The text.
    pub found: String,
}

impl Asked {
    /// A POST to `/` in this slot.
    pub fn in_slot(slot: Slot) -> Self {
        Self {
            slot,
            slot_from: SlotFrom::Said,
            method: Method::POST,
            target: "/".to_owned(),
            host: None,
            origin: None,
            form: Bytes::new(),
        }
    }

    /// What a paste shows, where nothing else is said.
    ///
    /// # Errors
    ///
    /// When `url` is no whole URL. What the paste itself shows as URL may be anything.
    pub fn of(paste: &Paste, slot: Option<Slot>, url: Option<&str>) -> Result<Self, NotAUrl> {
        let mut asked = Self::in_slot(Slot::Voice);
        let request = &paste.request;
        if let Some(shown) = &request.url {
            asked.take_url(shown);
        }
        if let Some(url) = url
            && !asked.take_url(url)
        {
            return Err(NotAUrl { found: url.to_owned() });
        }
        asked.method = match &request.method {
            Some(method) if *method == Method::GET => Method::GET,
            _ => Method::POST,
        };
        asked.form = request.form.clone().unwrap_or_default();
        let about_message = paste.logged.as_ref().is_some_and(super::Logged::is_messaging);
        (asked.slot, asked.slot_from) = match (slot, recognise::infer(&asked.params())) {
            (Some(slot), _) => (slot, SlotFrom::Said),
            (None, Some(slot)) => (slot, SlotFrom::Parameters),
            (None, None) if about_message => (Slot::Messaging, SlotFrom::Event),
            (None, None) => (Slot::Voice, SlotFrom::Assumed),
        };
        Ok(asked)
    }

    /// Takes path, host and origin from a URL; whether it was a whole one.
    fn take_url(&mut self, url: &str) -> bool {
        let Ok(uri) = url.parse::<Uri>() else { return false };
        if let Some(target) = uri.path_and_query() {
            target.as_str().clone_into(&mut self.target);
        }
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return false;
        };
        let host = authority.as_str().rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        self.origin = Some(format!("{scheme}://{host}"));
        self.host = Some(host);
        true
    }

    fn params(&self) -> Params {
        let mut params = Params::from_form(&self.form);
        if let Some((_, query)) = self.target.split_once('?') {
            params.append_form(query.as_bytes());
        }
        params
    }

    /// The request as the judge sees it. The caller is assumed to be still on the line unless the
    /// parameters say otherwise: the case in which an answer matters.
    pub(super) fn facts(&self) -> RequestFacts {
        let mut params = self.params();
        if self.slot.is_voice() && !params.has("CallStatus") {
            params.append_form(b"CallStatus=in-progress");
        }
        let body = if self.method == Method::POST { self.form.clone() } else { Bytes::new() };
        RequestFacts {
            method: self.method.clone(),
            target: self.target.clone(),
            host: self.host.clone(),
            has_authorization: false,
            params,
            body,
        }
    }

    /// The policy that knows the host which was asked as its own.
    pub fn policy(&self, policy: &Policy) -> Policy {
        let mut policy = policy.clone();
        if let Some(host) = &self.host {
            policy.public_origin.clone_from(&self.origin);
            policy.own_hosts.push(host.clone());
        }
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::super::paste;
    use super::*;

    fn asked(input: &str, slot: Option<Slot>, url: Option<&str>) -> Asked {
        Asked::of(&paste::read(input.as_bytes()), slot, url).unwrap()
    }

    #[test]
    fn the_url_that_was_asked_names_the_own_host() {
        let asked = asked("x", None, Some("https://PBX.example.com/voice?x=1"));
        assert_eq!(asked.target, "/voice?x=1");
        let policy = asked.policy(&Policy::default());
        assert_eq!(policy.own_hosts, ["pbx.example.com"]);
        assert_eq!(policy.public_origin.as_deref(), Some("https://pbx.example.com"));
    }

    #[test]
    fn half_a_url_is_refused() {
        assert!(Asked::of(&paste::read(b"x"), None, Some("/voice")).is_err());
    }

    #[test]
    fn the_slot_is_said_or_shown_or_assumed() {
        let command = "$ curl -i -d 'CallSid=CA1&AccountSid=AC1&CallStatus=in-progress&Digits=1' http://x/a\nHTTP/1.1 200 OK\n\n<Response/>";
        let shown = asked(command, None, None);
        assert_eq!((shown.slot, shown.slot_from), (Slot::Action, SlotFrom::Parameters));
        let said = asked(command, Some(Slot::Messaging), None);
        assert_eq!((said.slot, said.slot_from), (Slot::Messaging, SlotFrom::Said));
        let assumed = asked("<Response/>", None, None);
        assert_eq!((assumed.slot, assumed.slot_from), (Slot::Voice, SlotFrom::Assumed));
    }
}
