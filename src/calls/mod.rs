//! What is known of calls and URLs: as what each URL was handed out, and what each call went
//! through.
//!
//! Everything is bounded in number and age, and shared by the workers; no method waits for a disk.

pub mod queue;
mod steering;

use std::time::Instant;

use crate::guard::call::{Belief, CallFacts, Role};
use crate::guard::stream::StreamReport;
use crate::guard::{Exchange, Judgement, Policy};
use crate::incidents::timeline::Step;
use crate::twilio::{Params, Slot, recognise};

/// What is known of calls and URLs.
#[derive(Debug, Default)]
pub struct Calls {
    steering: steering::Steering,
}

/// A request about which something may be known.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// Its method.
    pub method: &'q str,
    /// Its path (no query).
    pub path: &'q str,
    /// Its parameters.
    pub params: &'q Params,
    /// Whether a configured route matched.
    pub is_route: bool,
    /// The slot that the route fixes.
    pub fixed: Option<Slot>,
}

impl Calls {
    /// The slot of a request, and how it is known. `None`: it is nobody's webhook (never on a
    /// configured route).
    pub fn decide(&self, question: &Question<'_>) -> Option<(Slot, Role)> {
        let Question { params, is_route, fixed, .. } = *question;
        let (slot, belief) = match (fixed, recognise::infer(params)) {
            (Some(slot), _) => (slot, Belief::Configured),
            (None, Some(slot)) if is_route || slot != Slot::Callback => (slot, Belief::Inferred),
            _ if is_route => (Slot::Voice, Belief::Assumed),
            _ => return None,
        };
        Some((slot, Role { belief, ..Role::default() }))
    }

    /// What is known of the request's call. The signature is the caller's to fill in.
    pub fn facts(&self, params: &Params, role: Role) -> CallFacts {
        let steering_fallbacks = params.get("CallSid").map_or(0, |sid| self.steering.given(sid));
        CallFacts { steering_fallbacks, role, ..CallFacts::default() }
    }

    /// Learns from what was delivered: URLs that fit TwiML hands out on the own host.
    pub fn learn(&self, exchange: &Exchange, judgement: &Judgement, policy: &Policy) {
        let _ = (exchange, judgement, policy);
    }

    /// Takes one step of a call (by CallSid) or message (by MessageSid). Returns the steps that are
    /// to be kept for good now: none for a call without a fault, all so far with its first one.
    pub fn note(&self, sid: &str, step: Step) -> Vec<Step> {
        let _ = (sid, step);
        Vec::new()
    }

    /// Notes that this call was given one more fallback that steers it.
    pub fn steered(&self, call_sid: &str) {
        self.steering.note(call_sid, Instant::now());
    }

    /// The call whose document last handed out a stream on this path and that has none yet, where
    /// that is one only.
    pub fn awaiting_stream(&self, path: &str) -> Option<String> {
        let _ = path;
        None
    }

    /// Whether documents handed this path out as a stream and as nothing else.
    pub fn is_stream(&self, path: &str) -> bool {
        let _ = path;
        false
    }

    /// A stream of this call was opened.
    pub fn stream_opened(&self, call_sid: &str, path: &str) {
        let _ = (call_sid, path);
    }

    /// A stream of this call is over, or was refused.
    pub fn stream_over(&self, call_sid: &str, report: &StreamReport) {
        let _ = (call_sid, report);
    }

    /// The routes that are known to take TwiML: `POST /voice (voice)`; at most 10.
    pub fn known_routes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The steps of a call or message that are remembered, in order.
    pub fn timeline(&self, sid: &str) -> Vec<Step> {
        let _ = sid;
        Vec::new()
    }
}
