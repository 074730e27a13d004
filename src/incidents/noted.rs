//! A step of a call as it is noted with every answer: nothing is masked or put into words before
//! somebody asks for it, or it is to be kept for good.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::Method;
use uuid::Uuid;

use super::redact::Redaction;
use super::timeline::Step;
use crate::guard::call::{Belief, HandedOut};
use crate::twilio::Slot;

/// Longest method that is told.
const MAX_METHOD: usize = 32;

/// One exchange or stream of a call: what [`Step`] is made of. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Noted {
    /// As [`Step::time_ms`].
    pub time_ms: u64,
    /// As [`Step::duration_ms`].
    pub duration_ms: u64,
    /// The request's method.
    pub method: Method,
    /// The request's path (no query), not masked.
    pub path: Arc<str>,
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// How the slot is known.
    pub belief: Belief,
    /// As what a document handed the URL out.
    pub role: Option<Arc<HandedOut>>,
    /// As [`Step::status`].
    pub status: Option<Cow<'static, str>>,
    /// As [`Step::answered`].
    pub answered: Option<u16>,
    /// As [`Step::outcome`].
    pub outcome: &'static str,
    /// As [`Step::cause`].
    pub cause: Option<&'static str>,
    /// What left, or how a stream went.
    pub told: Told,
    /// As [`Step::incident`].
    pub incident: Option<Uuid>,
    /// What is masked of it.
    pub redaction: Arc<Redaction>,
}

/// What left, or how a stream went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An answer with this status, and so many bytes: what nearly all are.
    Answer(u16, usize),
    /// Anything else, in a few words, masked.
    Words(Arc<str>),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(status, 0) => write!(f, "{status}, empty"),
            Self::Answer(status, bytes) => write!(f, "{status}, {bytes} bytes"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl Noted {
    /// The step, masked and in words.
    pub fn step(&self) -> Step {
        let masked = |text: &str| self.redaction.text(text);
        Step {
            time_ms: self.time_ms,
            duration_ms: self.duration_ms,
            method: self.method.as_str().chars().take(MAX_METHOD).collect(),
            path: masked(&self.path),
            slot: self.slot.name().to_owned(),
            belief: self.belief.name().to_owned(),
            role: self.role.as_ref().map(|place| masked(&place.to_string())),
            status: self.status.as_ref().map(|status| status.clone().into_owned()),
            answered: self.answered,
            outcome: self.outcome.to_owned(),
            cause: self.cause.map(str::to_owned),
            told: self.told.to_string(),
            incident: self.incident,
        }
    }

    /// About how many bytes it takes; what it shares with others is theirs.
    pub fn weight(&self) -> usize {
        let status = match &self.status {
            Some(Cow::Owned(status)) => status.len(),
            _ => 0,
        };
        let told = match &self.told {
            Told::Answer(..) => 0,
            Told::Words(words) => words.len(),
        };
        size_of::<Self>() + self.path.len() + status + told
    }
}

#[cfg(test)]
impl Noted {
    /// One of `POST /voice` that told these words.
    pub(crate) fn sample(outcome: &'static str, told: &str) -> Self {
        Self {
            time_ms: 1,
            duration_ms: 2,
            method: Method::POST,
            path: "/voice".into(),
            slot: Slot::Voice,
            belief: Belief::Inferred,
            role: None,
            status: Some("in-progress".into()),
            answered: Some(200),
            outcome,
            cause: None,
            told: Told::Words(told.into()),
            incident: None,
            redaction: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_masked_and_put_into_words_when_it_is_asked_for() {
        let place = HandedOut {
            element: "Gather".to_owned(),
            attribute: Some("action".to_owned()),
            parent: "POST /from/+15550104477".to_owned(),
        };
        let noted = Noted {
            path: "/call/+15550104477".into(),
            role: Some(Arc::new(place)),
            cause: Some("html-page"),
            told: Told::Answer(200, 350),
            ..Noted::sample("untouched", "")
        };
        let expected = Step {
            time_ms: 1,
            duration_ms: 2,
            method: "POST".to_owned(),
            path: "/call/+1555…4477".to_owned(),
            slot: "voice".to_owned(),
            belief: "inferred".to_owned(),
            role: Some("action of <Gather> from POST /from/+1555…4477".to_owned()),
            status: Some("in-progress".to_owned()),
            answered: Some(200),
            outcome: "untouched".to_owned(),
            cause: Some("html-page".to_owned()),
            told: "200, 350 bytes".to_owned(),
            incident: None,
        };
        assert_eq!(noted.step(), expected);
        let empty = Noted { told: Told::Answer(204, 0), ..noted };
        assert_eq!(empty.step().told, "204, empty");
    }
}
