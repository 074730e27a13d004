//! Which slot a request belongs to, judged by its parameters alone.

use super::{Params, Slot, call};

/// Marks of requests whose answer Twilio ignores.
///
/// Source: Twilio docs (status callbacks of calls, recordings, transcriptions, conferences,
/// streams, partial speech results).
const CALLBACK_MARKS: [&str; 13] = [
    "CallbackSource",
    "StreamEvent",
    "RecordingStatus",
    "TranscriptionStatus",
    "TranscriptionEvent",
    "SequenceNumber",
    "StatusCallbackEvent",
    "UnstableSpeechResult",
    "StableSpeechResult",
    "RecordingEvent",
    "AnsweredBy",
    "PaymentCardType",
    "SiprecEvent",
];

/// The slot of a request that no route names, or `None` when it is nobody's webhook.
///
/// Voice: CallSid, AccountSid and CallStatus without the marks of a callback. Messaging:
/// MessageSid or SmsSid, From and To, without the MessageStatus or SmsStatus of a delivery report.
/// A callback needs no TwiML: `None`.
pub fn recognise(params: &Params) -> Option<Slot> {
    match infer(params) {
        Some(Slot::Callback) | None => None,
        found => found,
    }
}

/// The slot that a request's parameters speak for; callbacks included.
pub fn infer(params: &Params) -> Option<Slot> {
    if params.has("CallSid") && params.has("AccountSid") && params.has("CallStatus") {
        return Some(infer_voice(params));
    }
    let message = params.has("MessageSid") || params.has("SmsSid");
    if message && params.has("From") && params.has("To") {
        return Some(if is_delivery_report(params) { Slot::Callback } else { Slot::Messaging });
    }
    if params.has("CallSid") && is_callback(params) {
        return Some(Slot::Callback);
    }
    None
}

fn infer_voice(params: &Params) -> Slot {
    if params.has("QueuePosition") || params.has("AvgQueueTime") {
        return Slot::Wait;
    }
    if is_action(params) && !params.has("CallbackSource") {
        return Slot::Action;
    }
    if is_callback(params) || reports_the_end(params) { Slot::Callback } else { Slot::Voice }
}

/// Whether this tells that the call has ended, as a number's status callback does without any mark:
/// how long it lasted, or that nobody ever took it, so that no TwiML was run.
fn reports_the_end(params: &Params) -> bool {
    let never_began = ["busy", "canceled", "failed", "no-answer"];
    call::is_over(params)
        && (params.has("CallDuration")
            || params.get("CallStatus").is_some_and(|status| never_began.contains(&status)))
}

fn is_callback(params: &Params) -> bool {
    CALLBACK_MARKS
        .iter()
        .filter(|mark| match **mark {
            // Async answering-machine results are callbacks; a synchronous one rides on the voice
            // request itself and carries no MachineDetectionDuration.
            "AnsweredBy" => params.has("MachineDetectionDuration"),
            // What a payment came to is told to its action as well.
            "PaymentCardType" => !params.has("Result"),
            _ => true,
        })
        .any(|mark| params.has(mark))
}

/// Marks of the step that an `action` reports.
fn is_action(params: &Params) -> bool {
    ["DialCallStatus", "DialCallSid", "QueueResult", "SpeechResult", "SessionStatus", "HandoffData"]
        .iter()
        .any(|mark| params.has(mark))
        || params.has("Digits")
        || (params.has("RecordingUrl")
            && !params.has("RecordingStatus")
            && !params.has("TranscriptionStatus")
            && !params.has("CallDuration"))
}

/// A delivery report carries MessageStatus, or an SmsStatus other than `received`.
fn is_delivery_report(params: &Params) -> bool {
    let outbound = |status: &str| !matches!(status, "received" | "receiving");
    params.get("MessageStatus").is_some_and(outbound)
        || params.get("SmsStatus").is_some_and(outbound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infer_form(form: &str) -> Option<Slot> {
        infer(&Params::from_form(form.as_bytes()))
    }

    const VOICE: &str = "CallSid=CA1&AccountSid=AC1&CallStatus=ringing";

    #[test]
    fn an_incoming_call_is_voice() {
        assert_eq!(infer_form(VOICE), Some(Slot::Voice));
        assert_eq!(recognise(&Params::from_form(VOICE.as_bytes())), Some(Slot::Voice));
    }

    #[test]
    fn marks_of_a_callback_make_it_one() {
        for mark in [
            "CallbackSource=call-progress-events",
            "StreamEvent=stream-started",
            "RecordingStatus=completed",
            "TranscriptionStatus=completed&RecordingUrl=x",
        ] {
            let form = format!("{VOICE}&{mark}");
            assert_eq!(infer_form(&form), Some(Slot::Callback), "{mark}");
            assert_eq!(recognise(&Params::from_form(form.as_bytes())), None, "{mark}");
        }
    }

    #[test]
    fn the_report_of_a_call_that_ended_is_a_callback() {
        let ended =
            |rest: &str| infer_form(&format!("CallSid=CA1&AccountSid=AC1&CallStatus={rest}"));
        for rest in ["completed&CallDuration=9&Duration=1", "no-answer", "busy&CallDuration=0"] {
            assert_eq!(ended(rest), Some(Slot::Callback), "{rest}");
        }
        // The action of a <Connect> whose caller hung up has no mark either.
        assert_eq!(ended("completed"), Some(Slot::Voice));
        assert_eq!(ended("in-progress&CallDuration=9"), Some(Slot::Voice));
        assert_eq!(ended("completed&DialCallStatus=completed"), Some(Slot::Action));
    }

    #[test]
    fn what_rides_on_any_request_makes_no_callback() {
        for mark in ["AddOns=%7B%7D", "AnsweredBy=human", "PaymentCardType=visa&Result=success"] {
            assert_eq!(infer_form(&format!("{VOICE}&{mark}")), Some(Slot::Voice), "{mark}");
        }
    }

    #[test]
    fn the_result_of_a_step_makes_it_an_action() {
        for mark in [
            "Digits=1",
            "SpeechResult=yes",
            "DialCallStatus=busy",
            "QueueResult=leave",
            "RecordingUrl=x",
        ] {
            assert_eq!(infer_form(&format!("{VOICE}&{mark}")), Some(Slot::Action), "{mark}");
        }
    }

    #[test]
    fn messages_and_their_reports_are_told_apart() {
        let inbound = "MessageSid=SM1&SmsSid=SM1&SmsStatus=received&From=1&To=2&Body=hi";
        assert_eq!(infer_form(inbound), Some(Slot::Messaging));
        let report = "MessageSid=SM1&SmsSid=SM1&SmsStatus=sent&MessageStatus=sent&From=1&To=2";
        assert_eq!(infer_form(report), Some(Slot::Callback));
    }

    #[test]
    fn a_stranger_is_nobodys_webhook() {
        assert_eq!(infer_form("name=x&From=1"), None);
        assert_eq!(infer_form(""), None);
    }
}
