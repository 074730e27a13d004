//! What is known of calls and URLs: as what each URL was handed out, and what each call went
//! through.
//!
//! Everything is bounded in number and age, and shared by the workers; no method waits for a disk.

mod belief;
mod bounded;
mod keeper;
mod kept;
mod key;
mod learnt;
mod ledger;
pub mod queue;
mod roles;
mod steering;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use belief::{Evidence, Known};
use bounded::Bounded;
use ledger::{Ledger, Way};
use roles::Roles;

pub use keeper::Keeper;
pub use kept::KeptError;
pub use learnt::{Learnt, learnt};

use crate::clock::now_ms;
use crate::guard::call::{Belief, CallFacts, HandedOut, Role, StreamState};
use crate::guard::stream::StreamReport;
use crate::guard::{
    DeliveryKind, Exchange, Handed, Judgement, Policy, Verdict, handed_out_by, is_document,
};
use crate::incidents::noted::Noted;
use crate::incidents::timeline::Step;
use crate::twilio::{Params, Slot};

/// Most of the calls to which one stream is put down that may have been of any.
const MOST_AWAITING: usize = 64;
/// Conflicts that are remembered as said.
const MAX_SAID: usize = 1_000;
/// The same conflict is said once in this time, in milliseconds.
const SAID_MS: u64 = 24 * 3_600_000;

/// What is known of calls and URLs.
#[derive(Debug)]
pub struct Calls {
    steering: steering::Steering,
    roles: Mutex<Roles>,
    voice: Mutex<Ledger>,
    messages: Mutex<Ledger>,
    said: Mutex<Bounded<()>>,
    since: Instant,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            steering: steering::Steering::default(),
            roles: Mutex::default(),
            voice: Mutex::new(Ledger::new(ledger::CALL_STEPS)),
            messages: Mutex::new(Ledger::new(ledger::MESSAGE_STEPS)),
            said: Mutex::new(Bounded::new(MAX_SAID, SAID_MS)),
            since: Instant::now(),
        }
    }
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
    ///
    /// Believed in this order: the slot that a route fixes, this call's own documents, documents of
    /// other calls, the parameters; what they contradict is said once per path. `now`: this moment.
    pub fn decide(&self, question: &Question<'_>, now: Instant) -> Option<(Slot, Role)> {
        let Question { method, path, params, is_route, fixed } = *question;
        let key = key::key(method, path);
        let now = self.at(now);
        // What this call's own documents told, then what others told.
        let mut known: Vec<Known> = Vec::new();
        let mut is_first = true;
        // A whisper is asked for the child, and was handed out to its parent.
        for sid in
            ["CallSid", "MessageSid", "ParentCallSid"].into_iter().filter_map(|n| params.get(n))
        {
            let ledger = lock(self.ledger(sid));
            let Some(account) = ledger.account(sid, now) else { continue };
            is_first = false;
            known.extend(key.iter().flat_map(|key| account.own(key)).cloned());
        }
        let owned = known.len();
        if let Some(key) = &key {
            known.extend(lock(&self.roles).known(key, now_ms()).cloned());
        }
        let (own, learnt) = known.split_at(owned);
        let evidence = Evidence { params, is_route, fixed, own, learnt, is_first };
        let (slot, role) = belief::decide(&evidence)?;
        if let (Some(against), Some(key)) = (role.against, &key) {
            self.say_conflict(key, slot, against);
        }
        Some((slot, role))
    }

    /// What is known of the request's call. The signature is the caller's to fill in. `now`: this
    /// moment.
    pub fn facts(&self, params: &Params, role: Role, now: Instant) -> CallFacts {
        let sid = params.get("CallSid");
        let now = self.at(now);
        let stream = sid.map(|sid| lock(&self.voice).stream(sid, now)).unwrap_or_default();
        let steering_fallbacks = sid.map_or(0, |sid| self.steering.given(sid));
        CallFacts { steering_fallbacks, role, stream, ..CallFacts::default() }
    }

    /// Learns from what was delivered: URLs that fit TwiML hands out on the own host, and that its
    /// own URL answers with TwiML. Nothing is learnt for a request that Twilio did not sign.
    pub fn learn(&self, exchange: &Exchange, judgement: &Judgement, policy: &Policy) {
        let Judgement { verdict, delivery, spans, .. } = judgement;
        let is_theirs = matches!(delivery.kind, DeliveryKind::Original | DeliveryKind::Repaired);
        let is_fit = *verdict != Verdict::Replaced
            && is_theirs
            && (spans.is_some() || is_document(delivery));
        if !exchange.slot.takes_twiml() || !is_fit || exchange.call.signature.is_refuted() {
            return;
        }
        let request = &exchange.request;
        let path = request.target.split('?').next().unwrap_or_default();
        let Some(own) = key::key(request.method.as_str(), path) else { return };
        let handed = handed_out_by(request, exchange.slot, judgement, policy, &own);
        let ways = self.learn_roles(&own, exchange.slot, &handed);
        if let Some(sid) = sid(&request.params) {
            lock(self.ledger(sid)).hand_out(sid, ways, self.now());
        }
    }

    /// Learns for all calls: as what the document's own URL was asked, and what it handed out.
    fn learn_roles<'h>(&self, own: &str, slot: Slot, handed: &'h [Handed]) -> Vec<Way<'h>> {
        let keys: Vec<_> =
            handed.iter().map(|handed| key::key(handed.method, &handed.path)).collect();
        let now = now_ms();
        let mut ways = Vec::with_capacity(1 + handed.len());
        let mut roles = lock(&self.roles);
        let (key, known) = roles.learn(own, slot, None, now);
        ways.push(Way { key, known, handed: None });
        for (key, handed) in keys.iter().zip(handed) {
            if let Some(key) = key {
                let (key, known) = roles.learn(key, handed.slot, Some(&handed.place), now);
                ways.push(Way { key, known, handed: Some(handed) });
            }
        }
        ways
    }

    /// Takes one step of a call (by CallSid) or message (by MessageSid). Returns the steps that are
    /// to be kept for good now: none for a call without a fault, all so far with its first one.
    pub fn note(&self, sid: &str, step: Noted) -> Vec<Noted> {
        lock(self.ledger(sid)).note(sid, step, self.now())
    }

    /// Notes that this call was given one more fallback that steers it.
    pub fn steered(&self, call_sid: &str) {
        self.steering.note(call_sid, Instant::now());
    }

    /// The call whose document last handed out a stream on this path and that has none yet, where
    /// that is one only.
    pub fn awaiting_stream(&self, path: &str) -> Option<String> {
        let mut waiting = lock(&self.voice).awaiting(&key::key("GET", path)?, 2, self.now());
        waiting.pop().filter(|_| waiting.is_empty())
    }

    /// Whether documents handed this path out as a stream and as nothing else.
    pub fn is_stream(&self, path: &str) -> bool {
        let (mut is_known, mut is_more) = (false, false);
        for key in ["GET", "POST"].into_iter().filter_map(|method| key::key(method, path)) {
            for known in lock(&self.roles).known(&key, now_ms()) {
                is_known = true;
                is_more |= known.slot != Slot::Stream;
            }
        }
        is_known && !is_more
    }

    /// As what a stream's path was handed out, to this call where that is known.
    pub fn stream_role(&self, path: &str, call_sid: Option<&str>, is_configured: bool) -> Role {
        let key = key::key("GET", path);
        let own = key.iter().zip(call_sid).find_map(|(key, sid)| {
            let ledger = lock(&self.voice);
            let account = ledger.account(sid, self.now())?;
            stream_of(account.own(key)).map(|place| (Belief::ThisCall, place))
        });
        let learnt = || {
            let roles = lock(&self.roles);
            stream_of(roles.known(key.as_ref()?, now_ms())).map(|place| (Belief::Learnt, place))
        };
        let (belief, handed_out) = own
            .or_else(learnt)
            .map_or((Belief::Inferred, None), |(belief, place)| (belief, Some(place)));
        let belief = if is_configured { Belief::Configured } else { belief };
        Role { belief, handed_out, against: None }
    }

    /// A stream of this call was opened.
    pub fn stream_opened(&self, call_sid: &str, path: &str) {
        self.set_stream(call_sid, path, StreamState::Open);
    }

    /// A stream of this call is over, or was refused.
    pub fn stream_over(&self, call_sid: &str, report: &StreamReport) {
        let state = StreamState::Over(Box::new(report.clone()));
        self.set_stream(call_sid, &report.path, state);
    }

    /// A stream that never started is over, and nobody can tell whose of the calls that wait for one it
    /// was: as far as is known, each's. A stream that does start afterwards is its call's own.
    pub fn stream_over_of_one(&self, report: &StreamReport) {
        let Some(key) = key::key("GET", &report.path) else { return };
        let waiting = lock(&self.voice).awaiting(&key, MOST_AWAITING, self.now());
        for sid in waiting {
            self.stream_over(&sid, report);
        }
    }

    fn set_stream(&self, call_sid: &str, path: &str, state: StreamState) {
        if let Some(key) = key::key("GET", path) {
            lock(&self.voice).set_stream(call_sid, &key, state, self.now());
        }
    }

    /// The routes that are known to take TwiML: `POST /voice (voice)`; at most 10.
    pub fn known_routes(&self) -> Arc<[String]> {
        lock(&self.roles).answering(now_ms())
    }

    /// The steps of a call or message that are remembered, in order.
    pub fn timeline(&self, sid: &str) -> Vec<Step> {
        let noted = lock(self.ledger(sid)).timeline(sid, self.now());
        // They are masked when nobody waits for the lock.
        noted.iter().map(Noted::step).collect()
    }

    fn ledger(&self, sid: &str) -> &Mutex<Ledger> {
        // Twilio's sids of messages begin so.
        if sid.starts_with("SM") || sid.starts_with("MM") { &self.messages } else { &self.voice }
    }

    /// Milliseconds of this process.
    fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// The same at a moment.
    fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.since);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Says once a day that parameters and documents disagree about what Twilio reads.
    fn say_conflict(&self, key: &str, slot: Slot, against: Slot) {
        let reads = |slot: Slot| (slot.takes_twiml(), slot == Slot::Messaging);
        if reads(slot) == reads(against) {
            return;
        }
        let (now, name) = (self.now(), format!("{key} {slot} {against}"));
        let mut said = lock(&self.said);
        let is_new = said.get(&name, now).is_none();
        if is_new {
            said.touch(&name, now, || ());
        }
        drop(said);
        if is_new {
            tracing::warn!(
                url.path = key,
                slot = slot.name(),
                known_as = against.name(),
                "a URL is asked as something else than it was handed out; the slot here is what is \
                 believed, a [[route]] with `slot` settles it"
            );
        }
    }
}

/// The sid that a request's steps are kept under.
pub fn sid(params: &Params) -> Option<&str> {
    ["CallSid", "MessageSid", "SmsSid"].into_iter().find_map(|name| params.get(name))
}

/// The place that handed a URL out as a stream.
fn stream_of<'k>(mut known: impl Iterator<Item = &'k Known>) -> Option<Arc<HandedOut>> {
    known.find_map(|known| known.place.as_ref().filter(|_| known.slot == Slot::Stream).cloned())
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
