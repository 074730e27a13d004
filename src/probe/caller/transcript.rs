//! What happened in a simulated call, in order.

use crate::probe::{Streamed, Url};
use crate::twilio::Slot;

/// Everything that happened in one call or conversation.
#[derive(Debug, Default)]
pub struct Transcript {
    /// In order.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// Twilio asked.
    Asked {
        /// What it does with the answer.
        slot: Slot,
        /// GET or POST.
        method: String,
        /// Whom, as asked first.
        url: Url,
        /// With which parameters.
        params: Vec<(String, String)>,
    },
    /// An answer came.
    Answered {
        /// Its status.
        status: u16,
        /// Redirects before it.
        redirects: usize,
        /// Connections that failed before it.
        retries: u32,
        /// Its body.
        body: bytes::Bytes,
    },
    /// The person heard or read something.
    Heard(String),
    /// A stream ended, or never began.
    Streamed(Box<Streamed>),
    /// Twilio logged something.
    Logged {
        /// Its code.
        code: u32,
        /// Why.
        why: String,
        /// Which URL is to blame.
        url: Url,
    },
    /// Twilio fell back to the fallback URL.
    FellBack {
        /// Because of this code.
        code: u32,
        /// Which this URL gave.
        from: Url,
    },
    /// Something was not done.
    Skipped(String),
    /// The end.
    Ended(Ending),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Twilio said that an application error has occurred.
    ApplicationError,
    /// There was nothing left to do, or a verb hung up; the last thing that happened is named.
    HungUp(String),
    /// It ended without a word since the last thing that went wrong: the caller sat in silence.
    Silence,
    /// It went round in circles until it was given up.
    GivenUp(&'static str),
}

impl Transcript {
    /// Every code that Twilio logged, in order.
    pub fn codes(&self) -> Vec<u32> {
        let code = |event: &Event| match event {
            Event::Logged { code, .. } => Some(*code),
            _ => None,
        };
        self.events.iter().filter_map(code).collect()
    }

    /// What the person heard or read.
    pub fn words(&self) -> Vec<&str> {
        let mut all = Vec::new();
        for event in &self.events {
            if let Event::Heard(words) = event {
                all.push(words.as_str());
            }
        }
        all
    }

    /// How it ended.
    pub fn ending(&self) -> Option<&Ending> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Ended(ending) => Some(ending),
            _ => None,
        })
    }

    /// The streams.
    pub fn streams(&self) -> impl Iterator<Item = &Streamed> {
        self.events.iter().filter_map(|event| match event {
            Event::Streamed(streamed) => Some(streamed.as_ref()),
            _ => None,
        })
    }

    /// Whether the caller was spoken to, and not left with an error or in silence.
    pub fn was_spoken_to(&self) -> bool {
        matches!(self.ending(), Some(Ending::HungUp(_)))
    }

    /// Slot and path of everything that was asked.
    pub fn asked(&self) -> Vec<(Slot, &str)> {
        let mut all = Vec::new();
        for event in &self.events {
            if let Event::Asked { slot, url, .. } = event {
                all.push((*slot, url.path()));
            }
        }
        all
    }

    /// The parameters of the last request to a path.
    pub fn params_to(&self, path: &str) -> Option<&[(String, String)]> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Asked { url, params, .. } if url.path() == path => Some(params.as_slice()),
            _ => None,
        })
    }
}
