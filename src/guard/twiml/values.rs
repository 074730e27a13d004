//! What TwiML's attributes may hold, and the warning that Twilio logs otherwise.
//!
//! Source: the names of Twilio's warnings, the reference of each verb, the lists in Twilio's Java
//! SDK, and for numbers the schema that Twilio used to publish. Only what is certain is here: a
//! list that grows (voices) is known by its shape alone. Letter case is not looked at.

/// What an attribute may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number between two bounds, or a word in its place.
    Whole {
        /// The least number.
        least: u32,
        /// The largest one; `u32::MAX` for none.
        most: u32,
        /// The word.
        word: Option<&'static str>,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Any of these words, with blanks between them.
    AnyOf(&'static [&'static str]),
    /// Keys of a telephone.
    Keys,
    /// Keys with pauses between them.
    Tones,
    /// The name of a language: `he-IL`.
    Language,
    /// The name of a voice: one of the basic ones, or provider and name.
    Voice,
    /// An identifier of Twilio's with this beginning.
    Sid(&'static str),
}

/// What one attribute may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The element that it stands on.
    pub element: &'static str,
    /// The attribute.
    pub attribute: &'static str,
    /// The code that Twilio's dictionary has for another value.
    pub code: u32,
    /// What it may hold.
    pub kind: Kind,
}

/// The rules of the attributes of an element.
pub fn rules(element: &str) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.element == element)
}

impl Kind {
    /// Whether Twilio takes a value.
    pub fn allows(&self, value: &str) -> bool {
        let value = value.trim();
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
        match self {
            Self::Whole { least, most, word } => {
                *word == Some(value) || whole(value, *least, *most)
            }
            Self::OneOf(words) => words.iter().any(|word| word.eq_ignore_ascii_case(value)),
            Self::AnyOf(words) => value
                .split([' ', ','])
                .filter(|part| !part.is_empty())
                .all(|part| words.iter().any(|word| word.eq_ignore_ascii_case(part))),
            Self::Keys => value.bytes().all(|b| b.is_ascii_digit() || b"*#".contains(&b)),
            Self::Tones => {
                value.bytes().all(|b| b.is_ascii_digit() || b"*#wW, ABCDabcd-".contains(&b))
            }
            Self::Language => {
                let mut parts = value.split('-');
                let head = parts.next().unwrap_or_default();
                let named = head.bytes().all(|b| b.is_ascii_alphabetic());
                named && (2..=5).contains(&head.len()) && parts.all(word)
            }
            Self::Voice => {
                let basic = ["man", "woman", "alice", "default"];
                value.contains(['.', ':'])
                    || basic.iter().any(|voice| voice.eq_ignore_ascii_case(value))
            }
            Self::Sid(head) => value.strip_prefix(head).is_some_and(word),
        }
    }

    /// What is expected, for a person to read.
    pub fn expected(&self) -> String {
        match self {
            Self::Whole { least, most: u32::MAX, .. } => format!("a whole number from {least} on"),
            Self::Whole { least, most, .. } => format!("a whole number from {least} to {most}"),
            Self::OneOf(words) if words.len() > 8 => "one of Twilio's list".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::AnyOf(words) => format!("any of {}", words.join(", ")),
            Self::Keys => "digits, * and #".to_owned(),
            Self::Tones => "digits, *, # and w".to_owned(),
            Self::Language => "a language such as en-US".to_owned(),
            Self::Voice => {
                "man, woman, alice, or a provider's voice such as Polly.Joanna".to_owned()
            }
            Self::Sid(head) => format!("an identifier that begins with {head}"),
        }
    }
}

/// What is too large to be read is too large for any bound but none.
fn whole(value: &str, least: u32, most: u32) -> bool {
    let digits = value.strip_prefix('+').unwrap_or(value);
    !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (least..=most).contains(&digits.parse().unwrap_or(u32::MAX))
}

const fn from(least: u32) -> Kind {
    Kind::Whole { least, most: u32::MAX, word: None }
}

const fn within(least: u32, most: u32) -> Kind {
    Kind::Whole { least, most, word: None }
}

const fn from_or(least: u32, word: &'static str) -> Kind {
    Kind::Whole { least, most: u32::MAX, word: Some(word) }
}

const fn row(element: &'static str, attribute: &'static str, code: u32, kind: Kind) -> Rule {
    Rule { element, attribute, code, kind }
}

const BOOLEAN: Kind = Kind::OneOf(&["true", "false", "1", "0"]);
const CALL_EVENTS: Kind = Kind::AnyOf(&["initiated", "ringing", "answered", "completed"]);
const METHOD: Kind = Kind::OneOf(&["GET", "POST"]);
const RECORDING_EVENTS: Kind = Kind::AnyOf(&["in-progress", "completed", "absent"]);
const TRACK: Kind = Kind::OneOf(&["inbound_track", "outbound_track", "both_tracks"]);
/// `false` and `true` are older names of the last two.
const TRIM: Kind = Kind::OneOf(&["trim-silence", "do-not-trim", "true", "false"]);
const RECORD: Kind = Kind::OneOf(&[
    "do-not-record",
    "record-from-answer",
    "record-from-ringing",
    "record-from-answer-dual",
    "record-from-ringing-dual",
    "record-from-start",
    "true",
    "false",
]);
const RING_TONES: Kind = Kind::OneOf(&[
    "at", "au", "bg", "br", "be", "ch", "cl", "cn", "cz", "de", "dk", "ee", "es", "fi", "fr", "gr",
    "hu", "il", "in", "it", "lt", "jp", "mx", "my", "nl", "no", "nz", "ph", "pl", "pt", "ru", "se",
    "sg", "th", "uk", "us", "us-old", "tw", "ve", "za",
]);

#[rustfmt::skip]
static RULES: &[Rule] = &[
    row("Application", "copyParentTo", 12_200, BOOLEAN),
    row("Application", "method", 12_200, METHOD),
    row("Application", "statusCallbackEvent", 12_200, CALL_EVENTS),
    row("Application", "statusCallbackMethod", 12_200, METHOD),
    row("Client", "method", 12_200, METHOD),
    row("Client", "statusCallbackEvent", 12_200, CALL_EVENTS),
    row("Client", "statusCallbackMethod", 12_200, METHOD),
    row("Conference", "beep", 13_235, Kind::OneOf(&["true", "false", "onEnter", "onExit"])),
    row("Conference", "endConferenceOnExit", 13_231, BOOLEAN),
    row("Conference", "coach", 13_240, Kind::Sid("CA")),
    row("Conference", "jitterBufferSize", 12_200, Kind::OneOf(&["large", "medium", "small", "off"])),
    row("Conference", "maxParticipants", 12_200, within(1, 250)),
    row("Conference", "muted", 13_230, BOOLEAN),
    row("Conference", "record", 12_200, RECORD),
    row("Conference", "recordingStatusCallbackEvent", 13_621, RECORDING_EVENTS),
    row("Conference", "recordingStatusCallbackMethod", 12_200, METHOD),
    row("Conference", "startConferenceOnEnter", 13_232, BOOLEAN),
    row("Conference", "statusCallbackEvent", 12_200, Kind::AnyOf(&[
        "start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement"])),
    row("Conference", "statusCallbackMethod", 12_200, METHOD),
    row("Conference", "trim", 13_239, TRIM),
    row("Conference", "waitMethod", 13_234, METHOD),
    row("Connect", "method", 12_200, METHOD),
    row("Conversation", "inboundAutocreation", 12_200, BOOLEAN),
    row("Conversation", "inboundTimeout", 12_200, from(0)),
    row("Conversation", "method", 12_200, METHOD),
    row("Conversation", "record", 12_200, RECORD),
    row("Conversation", "recordingStatusCallbackEvent", 13_621, RECORDING_EVENTS),
    row("Conversation", "recordingStatusCallbackMethod", 12_200, METHOD),
    row("Conversation", "routingAssignmentTimeout", 12_200, from(0)),
    row("Conversation", "statusCallbackEvent", 12_200, Kind::AnyOf(&[
        "call-initiated", "call-ringing", "call-answered", "call-completed"])),
    row("Conversation", "statusCallbackMethod", 12_200, METHOD),
    row("Conversation", "trim", 12_200, TRIM),
    row("Dial", "answerOnBridge", 13_219, BOOLEAN),
    row("Dial", "hangupOnStar", 13_213, BOOLEAN),
    row("Dial", "ifMachine", 13_211, Kind::OneOf(&["Continue", "Hangup"])),
    row("Dial", "method", 13_210, METHOD),
    row("Dial", "record", 13_217, RECORD),
    row("Dial", "recordingStatusCallbackEvent", 13_621, RECORDING_EVENTS),
    row("Dial", "recordingStatusCallbackMethod", 12_200, METHOD),
    row("Dial", "recordingTrack", 12_200, Kind::OneOf(&["both", "inbound", "outbound"])),
    row("Dial", "referMethod", 12_200, METHOD),
    row("Dial", "ringTone", 13_220, RING_TONES),
    row("Dial", "sequential", 13_218, BOOLEAN),
    row("Dial", "timeLimit", 13_216, from(0)),
    row("Dial", "timeout", 13_212, within(0, 600)),
    row("Dial", "trim", 12_200, TRIM),
    row("Enqueue", "maxQueueSize", 12_200, within(1, 5_000)),
    row("Enqueue", "method", 14_201, METHOD),
    row("Enqueue", "waitUrlMethod", 14_206, METHOD),
    row("Enqueue", "workflowSid", 14_220, Kind::Sid("WW")),
    row("Gather", "actionOnEmptyResult", 13_338, BOOLEAN),
    row("Gather", "bargeIn", 13_332, BOOLEAN),
    row("Gather", "enhanced", 12_200, BOOLEAN),
    row("Gather", "finishOnKey", 13_310, Kind::Keys),
    row("Gather", "input", 13_326, Kind::AnyOf(&["dtmf", "speech"])),
    row("Gather", "language", 13_331, Kind::Language),
    row("Gather", "maxSpeechTime", 13_328, from(0)),
    row("Gather", "method", 13_312, METHOD),
    row("Gather", "numDigits", 13_314, from(1)),
    row("Gather", "partialResultCallbackMethod", 13_329, METHOD),
    row("Gather", "profanityFilter", 13_333, BOOLEAN),
    row("Gather", "speechTimeout", 13_327, from_or(0, "auto")),
    row("Gather", "timeout", 13_313, from_or(0, "auto")),
    row("Message", "method", 14_104, METHOD),
    row("Number", "amdStatusCallbackMethod", 12_200, METHOD),
    row("Number", "machineDetectionSilenceTimeout", 12_200, within(2_000, 10_000)),
    row("Number", "machineDetectionSpeechEndThreshold", 12_200, within(500, 5_000)),
    row("Number", "machineDetectionSpeechThreshold", 12_200, within(1_000, 6_000)),
    row("Number", "machineDetectionTimeout", 12_200, within(3, 59)),
    row("Number", "method", 13_221, METHOD),
    row("Number", "sendDigits", 13_222, Kind::Tones),
    row("Number", "statusCallbackEvent", 12_200, CALL_EVENTS),
    row("Number", "statusCallbackMethod", 12_200, METHOD),
    row("Pause", "length", 13_910, from(0)),
    row("Pay", "bankAccountType", 12_200, Kind::OneOf(&[
        "consumer-checking", "consumer-savings", "commercial-checking", "commercial-savings"])),
    row("Pay", "input", 12_200, Kind::AnyOf(&["dtmf"])),
    row("Pay", "language", 12_200, Kind::Language),
    row("Pay", "maxAttempts", 12_200, from(1)),
    row("Pay", "minPostalCodeLength", 12_200, from(0)),
    row("Pay", "paymentMethod", 12_200, Kind::OneOf(&["ach-debit", "credit-card"])),
    row("Pay", "securityCode", 12_200, BOOLEAN),
    row("Pay", "statusCallbackMethod", 12_200, METHOD),
    row("Pay", "timeout", 12_200, from(0)),
    row("Pay", "tokenType", 12_200, Kind::OneOf(&["one-time", "reusable", "payment-method"])),
    row("Pay", "validCardTypes", 12_200, Kind::AnyOf(&[
        "visa", "mastercard", "amex", "maestro", "discover", "optima", "jcb", "diners-club", "enroute"])),
    row("Play", "digits", 13_430, Kind::Tones),
    row("Play", "loop", 13_410, from(0)),
    row("Prompt", "requireMatchingInputs", 12_200, BOOLEAN),
    row("Queue", "method", 14_210, METHOD),
    row("Queue", "postWorkActivitySid", 14_237, Kind::Sid("WA")),
    row("Queue", "reservationSid", 14_215, Kind::Sid("WR")),
    row("Record", "finishOnKey", 13_613, Kind::Keys),
    row("Record", "maxLength", 13_612, from(0)),
    row("Record", "method", 13_610, METHOD),
    row("Record", "playBeep", 13_616, BOOLEAN),
    row("Record", "recordingStatusCallbackEvent", 13_621, RECORDING_EVENTS),
    row("Record", "recordingStatusCallbackMethod", 12_200, METHOD),
    row("Record", "timeout", 13_611, from(0)),
    row("Record", "transcribe", 13_614, BOOLEAN),
    row("Record", "trim", 13_699, TRIM),
    row("Recording", "channels", 12_200, Kind::OneOf(&["mono", "dual"])),
    row("Recording", "recordingStatusCallbackEvent", 13_621, RECORDING_EVENTS),
    row("Recording", "recordingStatusCallbackMethod", 12_200, METHOD),
    row("Recording", "track", 12_200, Kind::OneOf(&["inbound", "outbound", "both"])),
    row("Recording", "trim", 12_200, TRIM),
    row("Redirect", "method", 13_710, METHOD),
    row("Refer", "method", 12_200, METHOD),
    row("Reject", "reason", 13_810, Kind::OneOf(&["rejected", "busy"])),
    row("Say", "language", 13_512, Kind::Language),
    row("Say", "loop", 13_510, from(0)),
    row("Say", "voice", 13_511, Kind::Voice),
    row("Sip", "amdStatusCallbackMethod", 12_200, METHOD),
    row("Sip", "method", 13_241, METHOD),
    row("Sip", "sendDigits", 13_242, Kind::Tones),
    row("Sip", "statusCallbackEvent", 12_200, CALL_EVENTS),
    row("Sip", "statusCallbackMethod", 12_200, METHOD),
    row("Siprec", "statusCallbackMethod", 12_200, METHOD),
    row("Siprec", "track", 12_200, TRACK),
    row("Sms", "method", 14_104, METHOD),
    row("Start", "method", 12_200, METHOD),
    row("Stream", "statusCallbackMethod", 12_200, METHOD),
    row("Stream", "track", 31_941, TRACK),
    row("Task", "priority", 14_232, from(0)),
    row("Task", "timeout", 14_233, from(0)),
    row("Transcription", "partialResults", 12_200, BOOLEAN),
    row("Transcription", "profanityFilter", 12_200, BOOLEAN),
    row("Transcription", "statusCallbackMethod", 12_200, METHOD),
    row("Transcription", "track", 12_200, TRACK),
    row("Uri", "priority", 12_200, from(0)),
    row("Uri", "weight", 12_200, from(0)),
    row("VirtualAgent", "statusCallbackMethod", 12_200, METHOD),
    row("WhatsApp", "method", 12_200, METHOD),
    row("WhatsApp", "statusCallbackEvent", 12_200, CALL_EVENTS),
    row("WhatsApp", "statusCallbackMethod", 12_200, METHOD),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::twiml::grammar;
    use crate::twilio::codes;

    #[test]
    fn every_rule_is_of_an_attribute_and_a_code_that_are_known() {
        for rule in RULES {
            let known = grammar::attributes(rule.element);
            assert!(known.contains(&rule.attribute), "{} {}", rule.element, rule.attribute);
            assert!(codes::lookup(rule.code).is_some(), "{}", rule.code);
        }
    }

    #[test]
    fn every_method_has_a_rule() {
        for element in grammar::rules() {
            let methods = element.attributes.iter();
            for method in
                methods.filter(|name| name.ends_with("ethod") && **name != "paymentMethod")
            {
                assert!(
                    rules(element.name).any(|rule| rule.attribute == *method),
                    "{} {method}",
                    element.name
                );
            }
        }
    }

    #[test]
    fn numbers_are_whole_and_within_bounds() {
        let digits = from(1);
        for value in ["1", " 20 ", "+3", "99999999999"] {
            assert!(digits.allows(value), "{value}");
        }
        for value in ["0", "-1", "", "1.5", "one", "5s", "auto", "+", "٣"] {
            assert!(!digits.allows(value), "{value}");
        }
        assert!(within(1, 250).allows("250") && !within(1, 250).allows("251"));
        assert!(!within(1, 250).allows("99999999999"));
    }

    #[test]
    fn words_keys_and_names_are_told_from_others() {
        for (kind, value) in [
            (BOOLEAN, "True"),
            (METHOD, "post"),
            (RECORDING_EVENTS, "in-progress completed"),
            (Kind::Keys, ""),
            (Kind::Keys, "*#1"),
            (Kind::Tones, "ww12#"),
            (Kind::Language, "he-IL"),
            (Kind::Language, "cmn-Hans-CN"),
            (Kind::Voice, "Polly.Joanna-Neural"),
            (Kind::Voice, "alice"),
            (Kind::Sid("WW"), "WW0123456789abcdef0123456789abcdef"),
        ] {
            assert!(kind.allows(value), "{kind:?} {value}");
        }
        for (kind, value) in [
            (BOOLEAN, "yes"),
            (METHOD, "PUT"),
            (RECORDING_EVENTS, "in-progress, done"),
            (Kind::Keys, "pound"),
            (Kind::Tones, "12x"),
            (Kind::Language, "en_US"),
            (Kind::Language, ""),
            (Kind::Voice, "Joanna"),
            (Kind::Sid("WW"), "WS0123"),
        ] {
            assert!(!kind.allows(value), "{kind:?} {value}");
        }
    }
}
