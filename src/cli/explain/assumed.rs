//! What had to be assumed of the request, and how to say it.

use http::Method;

use crate::guard::explain::{Asked, Explanation, SlotFrom};
use crate::twilio::Slot;

/// One note for each assumption that matters here.
pub(super) fn notes(asked: &Asked, explanation: &Explanation) -> Vec<String> {
    let mut notes = Vec::new();
    match asked.slot_from {
        SlotFrom::Assumed if explanation.found_something() => notes.push(
            "slot `voice` was assumed, since no parameters of the request are here; --slot SLOT says another"
                .to_owned(),
        ),
        SlotFrom::Said | SlotFrom::Assumed => {}
        from => notes.push(format!(
            "slot `{}`, by the {}; --slot SLOT says another",
            asked.slot,
            if from == SlotFrom::Event { "event's resource" } else { "request's parameters" }
        )),
    }
    if asked.slot == Slot::Callback {
        notes.push("Twilio reads no TwiML from the answer to a status callback".to_owned());
    }
    if asked.host.is_none() && explanation.depends_on_the_own_host() {
        notes.push(
            "which host is the backend's own decides here; --url URL (what was asked) tells"
                .to_owned(),
        );
    }
    if asked.method == Method::GET && explanation.found_something() && explanation.logged.is_none()
    {
        notes.push(
            "this was asked with GET; Twilio posts unless told otherwise: `curl -X POST`"
                .to_owned(),
        );
    }
    notes
}
