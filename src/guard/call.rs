//! What is known of the call that an answer belongs to, beside the request itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::stream::StreamReport;
use crate::twilio::Slot;

/// What is known of the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// How many fallbacks with Redirect, Gather or Dial this call was given already.
    pub steering_fallbacks: u32,
    /// As what this URL was handed to Twilio.
    pub role: Role,
    /// The last stream of this call that began or should have begun before this request.
    pub stream: StreamState,
    /// What is known of the request's signature.
    pub signature: Authenticity,
    /// After what time Twilio was answered in the backend's place, where it was before the
    /// backend's answer came (callbacks).
    pub acknowledged: Option<Duration>,
}

/// As what a URL is called, and how that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// How it is known.
    pub belief: Belief,
    /// Which document handed the URL out, where one is known.
    pub handed_out: Option<Arc<HandedOut>>,
    /// Another slot that the URL is known for, where the parameters decided against it.
    pub against: Option<Slot>,
}

/// How a slot is known; the first is believed first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Belief {
    /// A configured route says so.
    Configured,
    /// A document of this very call handed the URL out so.
    ThisCall,
    /// Documents of other calls handed the URL out so.
    Learnt,
    /// The request's parameters say so.
    Inferred,
    /// Nothing says so: Voice, because silence is worst there.
    #[default]
    Assumed,
}

impl Belief {
    /// Its name in logs and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Configured => "configured",
            Self::Inferred => "inferred",
            Self::Learnt => "learnt",
            Self::ThisCall => "this-call",
        }
    }
}

/// The place in a document that handed a URL to Twilio.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandedOut {
    /// The element: `Connect`.
    pub element: String,
    /// Its attribute; `None` for an element's text.
    pub attribute: Option<String>,
    /// Method and path (no query) that answered with the document: `POST /voice`.
    pub parent: String,
}

impl fmt::Display for HandedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { element, attribute, parent } = self;
        match attribute {
            Some(attribute) => write!(f, "{attribute} of <{element}> from {parent}"),
            None => write!(f, "target of <{element}> from {parent}"),
        }
    }
}

/// What became of the stream that this call was last handed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StreamState {
    /// No document of this call that passed here had one.
    #[default]
    None,
    /// One was handed out on the own host, and nobody ever opened it.
    NeverOpened {
        /// Its URL.
        url: String,
    },
    /// It still runs.
    Open,
    /// It is over, or was refused.
    Over(Box<StreamReport>),
}

impl StreamState {
    /// What became of it, as said of `its stream`; nothing where there was none.
    pub fn words(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::NeverOpened { url } => Some(format!("was never opened ({url})")),
            Self::Open => Some("still runs".to_owned()),
            Self::Over(report) => Some(report.words()),
        }
    }
}

/// What is known of a request's signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Authenticity {
    /// No token is configured, or it was not looked at.
    #[default]
    Unchecked,
    /// Signed by Twilio, for this URL.
    Genuine {
        /// The URL that the signature is valid for.
        url: String,
    },
    /// There is a token, and the request carries no signature.
    Unsigned,
    /// There is a token, and the signature is not Twilio's.
    Forged,
}

impl Authenticity {
    /// What is known, in a few words: `valid for https://…`, `unsigned`, `forged`, `unchecked`.
    pub fn words(&self) -> String {
        match self {
            Self::Unchecked => "unchecked".to_owned(),
            Self::Genuine { url } => format!("valid for {url}"),
            Self::Unsigned => "unsigned".to_owned(),
            Self::Forged => "forged".to_owned(),
        }
    }

    /// Whether a token says that Twilio did not send the request.
    pub const fn is_refuted(&self) -> bool {
        matches!(self, Self::Unsigned | Self::Forged)
    }
}

/// When a stream counts as having done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamDone {
    /// It lasted at least so long.
    pub after: Duration,
    /// The backend sent at least so much audio (or, on ConversationRelay, any message at all).
    pub audio: Duration,
}

impl Default for StreamDone {
    fn default() -> Self {
        Self { after: Duration::from_secs(10), audio: Duration::from_secs(1) }
    }
}
