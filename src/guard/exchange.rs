//! What goes into a judgement: the request, and what the backend gave.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use crate::twilio::{Params, Slot};

/// One webhook request and all that the backend gave for it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What Twilio does with the answer.
    pub slot: Slot,
    /// The request as it came from Twilio.
    pub request: RequestFacts,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptReason {
    /// The request itself.
    First,
    /// A redirect of the backend was followed.
    Redirect,
    /// The backend refused the method; the other one was tried.
    OtherMethod,
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

/// What is known of the call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallFacts {
    /// How many fallbacks with Redirect, Gather or Dial this call was given already.
    pub steering_fallbacks: u32,
}
