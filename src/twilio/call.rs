//! What a request's parameters tell about the call's state.

use super::{Params, Slot};

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

/// What Twilio's request to a fallback URL tells of the URL that failed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FellBack<'p> {
    /// The URL whose answer Twilio could not use, where it is told.
    pub url: Option<&'p str>,
    /// Twilio's code for it, where it is told.
    pub code: Option<&'p str>,
}

/// Whether this is Twilio's request to a fallback URL, and for which URL's fault.
///
/// Source: Twilio docs, availability and reliability: such a request adds ErrorCode and ErrorUrl.
/// ErrorCode alone is also in reports of recordings and messages, which take no TwiML.
pub fn fell_back(params: &Params, slot: Slot) -> Option<FellBack<'_>> {
    let told = |name| params.get(name).filter(|value| !value.is_empty());
    let (url, code) = (told("ErrorUrl"), told("ErrorCode"));
    let is_one = url.is_some() || (code.is_some() && slot.takes_twiml());
    is_one.then_some(FellBack { url, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(form: &str, slot: Slot) -> Option<(Option<String>, Option<String>)> {
        let params = Params::from_form(form.as_bytes());
        let owned = |text: Option<&str>| text.map(str::to_owned);
        fell_back(&params, slot).map(|fell| (owned(fell.url), owned(fell.code)))
    }

    #[test]
    fn a_request_that_names_the_failed_url_is_a_fallback() {
        let form = "CallSid=CA1&ErrorCode=12100&ErrorUrl=https%3A%2F%2Fpbx.example.com%2Fend";
        let expected =
            Some((Some("https://pbx.example.com/end".to_owned()), Some("12100".to_owned())));
        for slot in [Slot::Voice, Slot::Action, Slot::Messaging, Slot::Callback] {
            assert_eq!(told(form, slot), expected, "{slot}");
        }
        assert_eq!(
            told("ErrorCode=11200&ErrorUrl=", Slot::Voice),
            Some((None, Some("11200".to_owned())))
        );
    }

    #[test]
    fn an_error_code_in_a_report_is_none() {
        let recording = "CallSid=CA1&RecordingStatus=failed&ErrorCode=0";
        let message = "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003";
        assert_eq!(told(recording, Slot::Callback), None);
        assert_eq!(told(message, Slot::Callback), None);
        assert_eq!(told("CallSid=CA1&CallStatus=ringing", Slot::Voice), None);
        assert_eq!(told("ErrorCode=&ErrorUrl=", Slot::Voice), None);
    }
}
