//! What goes into a judgement: the request, and what the backend gave.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::call::CallFacts;
use crate::twilio::{Params, Slot};

/// One webhook request and all that the backend gave for it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// The request as it came from Twilio; shared by all that look at it.
    pub request: Arc<RequestFacts>,
    /// Every request sent to the backend, in order; empty when none could be sent.
    pub attempts: Vec<Attempt>,
    /// What the last attempt gave.
    pub outcome: Outcome,
    /// From the request's head to the end of the last answer.
    pub elapsed: Duration,
    /// What is known of the call besides.
    pub call: CallFacts,
}

/// The request as it came from Twilio.
#[derive(Debug, Clone)]
pub struct RequestFacts {
    /// Its method.
    pub method: Method,
    /// Path and query, as sent.
    pub target: String,
    /// The Host header, as sent.
    pub host: Option<String>,
    /// Whether it carried an Authorization header.
    pub has_authorization: bool,
    /// Whether the body was (or the query alone is) Twilio's form; decoded.
    pub params: Params,
    /// The body as sent; empty for GET.
    pub body: Bytes,
}

impl RequestFacts {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// One request that was sent to the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub target: String,
    /// Why it was sent.
    pub reason: AttemptReason,
    /// The status of its answer, where one came.
    pub status: Option<StatusCode>,
    /// The answer's Location header, where it is text.
    pub location: Option<String>,
    /// The answer's Allow header, where it is text.
    pub allow: Option<String>,
}

/// Why a request was sent to the backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AttemptReason {
    /// The request itself.
    First,
    /// A redirect of the backend was followed.
    Redirect,
    /// The backend refused the method; the other one was tried.
    OtherMethod,
    /// The path has `//`, which led nowhere; it was asked without.
    Collapsed,
    /// A GET with Twilio's form in its query led nowhere; it was asked as POST.
    PostAgain,
    /// The kept connection that it went out on ended without a byte of an answer; it was sent again.
    Resent,
    /// The backend's check refused Twilio's signature; it was signed anew.
    Resigned {
        /// The URL that it was signed for.
        url: String,
    },
}

impl AttemptReason {
    /// Its name in records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Collapsed => "collapsed",
            Self::First => "first",
            Self::OtherMethod => "other-method",
            Self::PostAgain => "post-again",
            Self::Redirect => "redirect",
            Self::Resent => "resent",
            Self::Resigned { .. } => "resigned",
        }
    }

    /// The reason of this name, where the name is all of it.
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [
            Self::Collapsed,
            Self::First,
            Self::OtherMethod,
            Self::PostAgain,
            Self::Redirect,
            Self::Resent,
        ];
        all.into_iter().find(|reason| reason.name() == name)
    }

    /// Whether the request was written anew, so that it is no longer the one that Twilio signed.
    pub const fn rewrites(&self) -> bool {
        matches!(self, Self::Collapsed | Self::OtherMethod | Self::PostAgain)
    }
}

/// What the backend gave.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A status line came; the body may still be cut.
    Answered(Answer),
    /// No answer.
    Failed(Failure),
}

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status line's code.
    pub status: StatusCode,
    /// All headers as received.
    pub headers: HeaderMap,
    /// The body as received, transfer coding undone, content coding not.
    pub body: Bytes,
    /// How the body ended.
    pub end: BodyEnd,
    /// What of its head is not in `headers`.
    pub odd: Oddities,
}

/// Most lines that are remembered of a head.
const MAX_ODD: usize = 32;

/// What HTTP readers refuse or pass over in a head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oddities {
    /// The lines, in their order; the first 32.
    pub lines: Vec<OddLine>,
    /// Whether nothing says for certain where the body ends.
    pub framing_is_lost: bool,
    /// The least of several lengths that were announced.
    pub least_length: Option<u64>,
}

/// A line of a head that HTTP readers refuse or pass over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddLine {
    /// What is wrong there.
    pub part: OddPart,
    /// The line as sent, without its end; empty where something is missing.
    pub line: Bytes,
    /// Why readers do so.
    pub why: &'static str,
    /// How many cookies that every reader takes came before it.
    pub cookies_before: usize,
}

/// What is odd about a line of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OddPart {
    /// Readers refuse the whole answer: Transfer-Encoding.
    Coding,
    /// Readers refuse the whole answer: bytes that no head may have, too many lines, no end.
    Head,
    /// Readers refuse the whole answer: Content-Length.
    Length,
    /// Readers pass over the line.
    Line,
    /// Readers refuse the whole answer: the status line.
    StatusLine,
}

impl Oddities {
    /// Remembers a line, as long as there is room.
    pub fn note(&mut self, line: OddLine) {
        if self.lines.len() < MAX_ODD {
            self.lines.push(line);
        }
    }

    /// Whether readers refuse the whole answer.
    pub fn is_refused(&self) -> bool {
        self.lines.iter().any(|odd| odd.part != OddPart::Line)
    }

    /// How a body of so many bytes ended, where its announced end can't be trusted.
    pub fn end_of(&self, arrived: usize) -> BodyEnd {
        match self.least_length {
            Some(least) if u64::try_from(arrived).is_ok_and(|arrived| arrived < least) => {
                BodyEnd::Truncated { detail: format!("the least length announced is {least}") }
            }
            _ => BodyEnd::Complete,
        }
    }
}

impl OddLine {
    /// Name and value, as far as there is a colon, without blanks and control characters around.
    pub fn named(&self) -> Option<(&[u8], &[u8])> {
        let colon = memchr::memchr(b':', &self.line)?;
        let (name, value) = (self.line.get(..colon)?, self.line.get(colon + 1..)?);
        Some((clean_ends(name), clean_ends(value)))
    }

    /// Whether it means to be a header of this name.
    pub fn is_named(&self, name: &str) -> bool {
        self.named().is_some_and(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()))
    }
}

fn clean_ends(text: &[u8]) -> &[u8] {
    let is_meant = |b: &u8| !b.is_ascii_control() && *b != b' ';
    let start = text.iter().position(is_meant).unwrap_or(text.len());
    let end = text.iter().rposition(is_meant).map_or(start, |at| at + 1);
    text.get(start..end).unwrap_or_default()
}

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEnd {
    /// As announced.
    Complete,
    /// The connection ended before the announced end.
    Truncated {
        /// What the transport said, for the record.
        detail: String,
    },
    /// The budget ran out while it was still coming.
    TooLate,
    /// More than the limit came; the rest was not read.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why there is no answer at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The connection was closed before a status line.
    ClosedEarly {
        /// What had been received by then.
        received: Bytes,
    },
    /// The backend's address could not be reached in time.
    ConnectTimeout,
    /// No status line and headers within the short wait that an open breaker left.
    CutShort {
        /// The backend's address.
        backend: String,
        /// For how long nothing at all had come from it.
        silence: Duration,
        /// How long this request waited.
        waited: Duration,
    },
    /// The guard has no room for it; never the backend's fault.
    Full {
        /// Which limit, and how full it is.
        detail: String,
    },
    /// No status line and headers within the budget.
    HeadersTooLate,
    /// The answer is not HTTP.
    NotHttp {
        /// The first bytes that came instead, as far as they are known.
        received: Bytes,
        /// What the reader stumbled over.
        detail: String,
    },
    /// The request could not be taken whole; the backend was not asked.
    RequestUnfit {
        /// Too large or too slow, with the limit.
        detail: String,
    },
    /// Nobody listens at the backend's address.
    Refused {
        /// The address or name that was tried.
        address: String,
    },
    /// The connection was reset before a status line.
    Reset,
    /// The backend's name or network could not be reached.
    Unreachable {
        /// The address or name that was tried.
        address: String,
        /// What the system said.
        detail: String,
    },
    /// The guard itself failed; never the backend's fault.
    Internal {
        /// What went wrong.
        detail: String,
    },
}
