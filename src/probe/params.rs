//! The parameters that Twilio sends to each slot, with placeholder numbers.

use crate::twilio::Slot;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const MESSAGE: &str = "SM0123456789abcdef0123456789abcdef";
const CALLER: &str = "+15555550123";
const CALLED: &str = "+15555550199";

/// What Twilio sends to a URL in this slot; nothing for a stream, whose upgrade carries no form.
///
/// Source: Twilio docs, "TwiML for Programmable Voice", "Messaging webhook request", the pages of
/// Gather, Dial and Enqueue.
pub fn parameters(slot: Slot) -> Vec<(String, String)> {
    let more: &[(&str, &str)] = match slot {
        Slot::Stream => return Vec::new(),
        Slot::Messaging => return owned(&messaging()),
        Slot::Voice => &[("CallStatus", "ringing"), ("Direction", "inbound")],
        Slot::Action => &[("CallStatus", "in-progress"), ("Direction", "inbound"), ("Digits", "1")],
        Slot::Whisper => &[
            ("CallStatus", "in-progress"),
            ("Direction", "outbound-dial"),
            ("ParentCallSid", "CA00000000000000000000000000000001"),
        ],
        Slot::Wait => &[
            ("CallStatus", "in-progress"),
            ("Direction", "inbound"),
            ("QueueSid", "QU0123456789abcdef0123456789abcdef"),
            ("QueuePosition", "1"),
            ("QueueTime", "0"),
            ("AvgQueueTime", "30"),
            ("CurrentQueueSize", "1"),
            ("MaxQueueSize", "100"),
        ],
        Slot::ConferenceWait => &[("CallStatus", "in-progress"), ("Direction", "inbound")],
        Slot::Callback => &[
            ("CallStatus", "completed"),
            ("Direction", "inbound"),
            ("CallDuration", "42"),
            ("Duration", "1"),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", "0"),
        ],
    };
    let mut all = owned(&voice());
    all.extend(owned(more));
    all
}

/// What Twilio adds to the request for a URL that this element's attribute handed out.
pub fn parameters_of(element: &str, attribute: Option<&str>) -> Vec<(String, String)> {
    const RECORDING: [(&str, &str); 3] = [
        ("RecordingUrl", "https://api.example.com/recordings/RE0123456789abcdef0123456789abcdef"),
        ("RecordingSid", "RE0123456789abcdef0123456789abcdef"),
        ("RecordingDuration", "5"),
    ];
    match (element, attribute) {
        ("Gather", Some("action")) => owned(&[("Digits", "1")]),
        ("Record", Some("action")) => owned(&RECORDING),
        ("Dial", Some("action")) => {
            owned(&[("DialCallStatus", "no-answer"), ("DialCallSid", CALL)])
        }
        ("Enqueue", Some("action")) => owned(&[
            ("QueueResult", "leave"),
            ("QueueSid", "QU0123456789abcdef0123456789abcdef"),
            ("QueueTime", "5"),
        ]),
        ("Stream", Some("statusCallback")) => owned(&[
            ("StreamEvent", "stream-started"),
            ("StreamSid", "MZ0123456789abcdef0123456789abcdef"),
        ]),
        (_, Some("recordingStatusCallback")) => {
            let mut all = owned(&RECORDING);
            all.push(("RecordingStatus".to_owned(), "completed".to_owned()));
            all
        }
        ("Message", Some("action" | "statusCallback")) => {
            owned(&[("MessageStatus", "delivered"), ("SmsStatus", "delivered")])
        }
        _ => Vec::new(),
    }
}

fn voice() -> [(&'static str, &'static str); 7] {
    [
        ("CallSid", CALL),
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("From", CALLER),
        ("To", CALLED),
        ("Caller", CALLER),
        ("Called", CALLED),
    ]
}

fn messaging() -> [(&'static str, &'static str); 10] {
    [
        ("MessageSid", MESSAGE),
        ("SmsSid", MESSAGE),
        ("SmsMessageSid", MESSAGE),
        ("SmsStatus", "received"),
        ("AccountSid", ACCOUNT),
        ("ApiVersion", "2010-04-01"),
        ("From", CALLER),
        ("To", CALLED),
        ("Body", "Hello & goodbye"),
        ("NumMedia", "0"),
    ]
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::{Params, recognise};

    #[test]
    fn every_slot_is_recognised_by_its_parameters() {
        for slot in Slot::ALL {
            let params: Params = parameters(slot).into_iter().collect();
            let expected = match slot {
                Slot::Stream => None,
                // Nothing in them tells these from an incoming call.
                Slot::Whisper | Slot::ConferenceWait => Some(Slot::Voice),
                other => Some(other),
            };
            assert_eq!(recognise::infer(&params), expected, "{slot}");
        }
    }
}
