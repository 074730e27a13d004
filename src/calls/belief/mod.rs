//! Which slot a request is believed to be in: configuration, documents, parameters.

use std::sync::Arc;

use crate::guard::call::{Belief, HandedOut, Role};
use crate::twilio::{Params, Slot, call, recognise};

/// A way in which a URL is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// What Twilio calls it as.
    pub(super) slot: Slot,
    /// Which document handed it out so; `None`: it was asked so, and answered with TwiML.
    pub(super) place: Option<Arc<HandedOut>>,
}

/// All that is known when a request comes. What was handed out last stands first, what was only
/// asked stands last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'e> {
    pub(super) params: &'e Params,
    /// Whether a configured route matched.
    pub(super) is_route: bool,
    /// The slot that the route fixes.
    pub(super) fixed: Option<Slot>,
    /// What documents of this very call told of the URL.
    pub(super) own: &'e [Known],
    /// What documents of other calls told of it.
    pub(super) learnt: &'e [Known],
    /// Whether nothing of this call has passed yet.
    pub(super) is_first: bool,
}

/// Elements whose action is always told what the step came to (Twilio docs, request parameters).
const TELLING: [&str; 4] = ["Dial", "Enqueue", "Gather", "Record"];

/// The slot of a request, and how it is known; `None`: it is nobody's webhook.
///
/// Documents are believed where the parameters do not contradict them. Between a callback and
/// TwiML, TwiML is believed: an action is never taken for a callback.
pub(super) fn decide(evidence: &Evidence<'_>) -> Option<(Slot, Role)> {
    let Evidence { params, is_route, fixed, own, learnt, .. } = *evidence;
    let all = || own.iter().chain(learnt).filter(|known| known.slot != Slot::Stream);
    if let Some(slot) = fixed {
        if let Some(action) = evidence.mistaken_action() {
            return Some(action);
        }
        let handed_out =
            all().find(|known| known.slot == slot).and_then(|known| known.place.clone());
        return Some((slot, Role { belief: Belief::Configured, handed_out, against: None }));
    }
    if !is_route && !names_a_sid(params) {
        return None;
    }
    let sign = recognise::infer(params);
    let is_callback_too = all().any(|known| known.slot == Slot::Callback);
    for (belief, known) in [(Belief::ThisCall, own), (Belief::Learnt, learnt)] {
        if let Some(known) = evidence.fitting(known, sign, is_callback_too) {
            let role = Role { belief, handed_out: known.place.clone(), against: None };
            return Some((known.slot, role));
        }
    }
    let against = all().find(|known| known.place.is_some()).map(|known| known.slot);
    match sign {
        Some(Slot::Callback) if !is_route && !params.has("AccountSid") => None,
        Some(slot) => {
            // No document is asked for a call that is over: at most what its last step was.
            let is_last = slot == Slot::Voice && call::is_over(params);
            let slot = if is_last { Slot::Action } else { slot };
            let against = against.filter(|against| *against != slot);
            Some((slot, Role { belief: Belief::Inferred, handed_out: None, against }))
        }
        None if is_route => Some((Slot::Voice, Role::default())),
        None => None,
    }
}

impl Known {
    /// Whether Twilio waits here for what the call does next.
    fn is_action(&self) -> bool {
        let attribute = self.place.as_ref().and_then(|place| place.attribute.as_deref());
        self.slot == Slot::Action || self.slot.takes_twiml() && attribute == Some("action")
    }

    /// Whether a request without any result of a step may well be this action's.
    fn tells_nothing(&self) -> bool {
        self.place.as_ref().is_some_and(|place| {
            self.slot != Slot::Action || !TELLING.contains(&place.element.as_str())
        })
    }
}

impl Evidence<'_> {
    /// The action that a route calls a callback, though a document of this very call handed it out and
    /// nothing in the request is a callback's: a caller waits, whatever was written by hand.
    fn mistaken_action(&self) -> Option<(Slot, Role)> {
        if self.fixed != Some(Slot::Callback) {
            return None;
        }
        let known = self.own.iter().find(|known| known.is_action())?;
        if recognise::infer(self.params) == Some(Slot::Callback) {
            return None;
        }
        let handed_out = known.place.clone();
        let role = Role { belief: Belief::ThisCall, handed_out, against: Some(Slot::Callback) };
        Some((known.slot, role))
    }

    /// Of the ways in which a URL is known, the one that the parameters do not contradict.
    fn fitting<'k>(
        &self,
        known: &'k [Known],
        sign: Option<Slot>,
        is_callback_too: bool,
    ) -> Option<&'k Known> {
        let first = |fits: &dyn Fn(&Known) -> bool| {
            known.iter().filter(|known| known.slot != Slot::Stream).find(|known| fits(known))
        };
        match sign {
            None => first(&|known| known.slot.takes_twiml()).or_else(|| first(&|_| true)),
            Some(Slot::Voice) => self.plain(known),
            Some(Slot::Callback) => first(&|known| known.slot == Slot::Callback)
                .or_else(|| first(&|known| !is_callback_too && known.is_action())),
            // The steps of a whisper or a wait belong to it.
            Some(Slot::Action) => first(&|known| known.slot == Slot::Action).or_else(|| {
                first(&|known| {
                    matches!(known.slot, Slot::ConferenceWait | Slot::Wait | Slot::Whisper)
                })
            }),
            Some(slot) => first(&|known| known.slot == slot),
        }
    }

    /// The same for a voice request without any mark of a step, a wait or a callback: an action of
    /// `<Connect>`, a whisper and many another look like that.
    fn plain<'k>(&self, known: &'k [Known]) -> Option<&'k Known> {
        let first = |fits: &dyn Fn(&Known) -> bool| {
            known.iter().filter(|known| known.slot.is_voice()).find(|known| fits(known))
        };
        let voice = first(&|known| known.slot == Slot::Voice);
        let has_begun =
            !matches!(self.params.get("CallStatus"), Some("queued" | "initiated" | "ringing"));
        // No new document is asked for a call that is over.
        if call::is_over(self.params) {
            let action = first(&|known| known.is_action());
            return action.or_else(|| first(&|_| true)).or_else(|| reported(known));
        }
        if voice.is_some() && (!has_begun || self.is_first) {
            return voice;
        }
        first(&Known::tells_nothing).or(voice).or_else(|| first(&|_| true))
    }
}

/// What was handed out first, what was only asked last; else in their order.
pub(super) fn handed_out_first<'k>(
    known: impl Iterator<Item = &'k Known> + Clone,
) -> impl Iterator<Item = &'k Known> {
    let asked = known.clone().filter(|known| known.place.is_none());
    known.filter(|known| known.place.is_some()).chain(asked)
}

fn reported(known: &[Known]) -> Option<&Known> {
    known.iter().find(|known| known.slot == Slot::Callback)
}

fn names_a_sid(params: &Params) -> bool {
    ["CallSid", "ConferenceSid", "MessageSid", "SmsSid"].into_iter().any(|name| params.has(name))
}

#[cfg(test)]
mod tests;
