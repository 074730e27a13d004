//! Whether the backend is asked a second time, and what.

use bytes::Bytes;
use http::Method;

use super::exchange::{Attempt, AttemptReason, Outcome, RequestFacts};
use super::policy::Policy;

/// A further request to the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondRequest {
    /// Its method.
    pub method: Method,
    /// Path and query; always sent to the route's own upstream with the first request's Host.
    pub target: String,
    /// Its body.
    pub body: RequestBody,
    /// Whether X-Forwarded-Proto must say `https`.
    pub as_https: bool,
    /// Why.
    pub reason: AttemptReason,
}

/// The body of a further request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// As in the first request, content headers included.
    Same,
    /// None, and no content headers.
    Empty,
    /// This form, as `application/x-www-form-urlencoded`.
    Form(Bytes),
}

/// Decides on a further request, given what the last of `attempts` gave.
///
/// `None`: the outcome is to be judged as it is. Never more than four attempts in all.
pub fn follow_up(
    request: &RequestFacts,
    attempts: &[Attempt],
    outcome: &Outcome,
    policy: &Policy,
) -> Option<SecondRequest> {
    let _ = (request, attempts, outcome, policy);
    None
}
