//! What a request's parameters tell about the call's state.

use super::Params;

/// Whether the call is over: a terminal CallStatus.
///
/// Source: Twilio docs, TwiML for Programmable Voice, CallStatus values.
pub fn is_over(params: &Params) -> bool {
    params.get("CallStatus").is_some_and(is_terminal)
}

/// Whether a CallStatus is that of a call that is over.
pub fn is_terminal(status: &str) -> bool {
    matches!(status, "completed" | "busy" | "failed" | "no-answer" | "canceled")
}

/// Whether the step that an action reports was visibly done, so that an empty answer loses nothing.
pub fn step_is_done(params: &Params) -> bool {
    matches!(params.get("DialCallStatus"), Some("completed" | "answered"))
        || matches!(params.get("QueueResult"), Some("bridged" | "redirected-from-bridged"))
        || params.get("DialBridged") == Some("true")
}

/// Whether the request says anything of the call's state at all.
pub fn status_is_known(params: &Params) -> bool {
    params.has("CallStatus")
}
