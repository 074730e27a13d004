//! TwiML's elements: where each may stand and whether it holds text.
//!
//! Source: Twilio's Python SDK (PyPI `twilio` 9.13.0), introspected; `Sms` at the messaging root
//! and in old documents is accepted by Twilio's server (its schema messages name it). An unknown
//! element is a warning at most: the SDK is a generated client grammar, not the server's schema.

pub use super::attributes::attributes;

/// The channel an element belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Voice and messaging.
    Both,
    /// Messaging only.
    Messaging,
    /// Voice only.
    Voice,
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// Its channel.
    pub family: Family,
    /// Whether it may hold text.
    pub text: bool,
    /// The elements that may stand directly inside.
    pub children: &'static [&'static str],
}

/// The rule of an element, by its exact name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// The rule of an element whose name may be in another letter case; `None` if more than one fits.
pub fn ignoring_case(name: &str) -> Option<&'static Rule> {
    rule(name).or_else(|| {
        let mut fitting = RULES.iter().filter(|rule| rule.name.eq_ignore_ascii_case(name));
        fitting.next().filter(|_| fitting.next().is_none())
    })
}

/// Whether `child` may stand directly inside `parent`.
pub fn allows(parent: &str, child: &str) -> bool {
    rule(parent).is_some_and(|rule| rule.children.contains(&child))
}

const fn row(
    name: &'static str,
    family: Family,
    text: bool,
    children: &'static [&'static str],
) -> Rule {
    Rule { name, family, text, children }
}

static RULES: &[Rule] = &[
    row("AiSession", Family::Voice, false, &[]),
    row("Application", Family::Voice, true, &["ApplicationSid", "Parameter"]),
    row("ApplicationSid", Family::Voice, true, &[]),
    row("Autopilot", Family::Voice, true, &[]),
    row("Body", Family::Messaging, true, &[]),
    row("Client", Family::Voice, true, &["Identity", "Parameter"]),
    row("Conference", Family::Voice, true, &[]),
    row("Config", Family::Voice, false, &[]),
    row(
        "Connect",
        Family::Voice,
        false,
        &[
            "AiSession",
            "Autopilot",
            "Conversation",
            "ConversationRelay",
            "ConversationRelaySession",
            "Room",
            "Stream",
            "VirtualAgent",
        ],
    ),
    row("Conversation", Family::Voice, false, &[]),
    row("ConversationRelay", Family::Voice, false, &["Language", "Parameter"]),
    row("ConversationRelaySession", Family::Voice, false, &[]),
    row(
        "Dial",
        Family::Voice,
        true,
        &["Application", "Client", "Conference", "Number", "Queue", "Sim", "Sip", "WhatsApp"],
    ),
    row("Echo", Family::Voice, false, &[]),
    row("Enqueue", Family::Voice, true, &["Task"]),
    row("Gather", Family::Voice, false, &["Pause", "Play", "Say"]),
    row("Hangup", Family::Voice, false, &["Parameter"]),
    row("Header", Family::Voice, false, &[]),
    row("Headers", Family::Voice, false, &["Header"]),
    row("Identity", Family::Voice, true, &[]),
    row("Language", Family::Voice, false, &[]),
    row("Leave", Family::Voice, false, &[]),
    row("Media", Family::Messaging, true, &[]),
    row("Message", Family::Messaging, true, &["Body", "Media"]),
    row("Number", Family::Voice, true, &[]),
    row("Parameter", Family::Voice, false, &[]),
    row("Pause", Family::Voice, false, &[]),
    row("Pay", Family::Voice, false, &["Parameter", "Prompt"]),
    row("Play", Family::Voice, true, &[]),
    row("Prompt", Family::Voice, false, &["Pause", "Play", "Say"]),
    row("Queue", Family::Voice, true, &[]),
    row("Record", Family::Voice, false, &[]),
    row("Recording", Family::Voice, false, &[]),
    row("Redirect", Family::Both, true, &[]),
    row("Refer", Family::Voice, false, &["Sip"]),
    row("Reject", Family::Voice, false, &["Parameter"]),
    row(
        "Response",
        Family::Both,
        false,
        &[
            "Connect", "Dial", "Echo", "Enqueue", "Gather", "Hangup", "Leave", "Message", "Pause",
            "Pay", "Play", "Prompt", "Queue", "Record", "Redirect", "Refer", "Reject", "Say",
            "Sms", "Start", "Stop",
        ],
    ),
    row("Room", Family::Voice, true, &[]),
    row(
        "Say",
        Family::Voice,
        true,
        &["break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"],
    ),
    row("Sim", Family::Voice, true, &[]),
    row("Sip", Family::Voice, true, &["Headers", "Uri"]),
    row("Siprec", Family::Voice, false, &["Parameter"]),
    row("Sms", Family::Both, true, &[]),
    row("Start", Family::Voice, false, &["Recording", "Siprec", "Stream", "Transcription"]),
    row("Stop", Family::Voice, false, &["Siprec", "Stream", "Transcription"]),
    row("Stream", Family::Voice, false, &["Parameter"]),
    row("Task", Family::Voice, true, &[]),
    row("Transcription", Family::Voice, false, &["Config", "Parameter"]),
    row("Uri", Family::Voice, true, &[]),
    row("VirtualAgent", Family::Voice, false, &["Config", "Parameter"]),
    row("WhatsApp", Family::Voice, true, &[]),
    row("break", Family::Voice, false, &[]),
    row(
        "emphasis",
        Family::Voice,
        true,
        &["break", "emphasis", "lang", "phoneme", "prosody", "say-as", "sub", "w"],
    ),
    row(
        "lang",
        Family::Voice,
        true,
        &["break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"],
    ),
    row(
        "p",
        Family::Voice,
        true,
        &["break", "emphasis", "lang", "phoneme", "prosody", "s", "say-as", "sub", "w"],
    ),
    row("phoneme", Family::Voice, true, &[]),
    row(
        "prosody",
        Family::Voice,
        true,
        &["break", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say-as", "sub", "w"],
    ),
    row(
        "s",
        Family::Voice,
        true,
        &["break", "emphasis", "lang", "phoneme", "prosody", "say-as", "sub", "w"],
    ),
    row("say-as", Family::Voice, true, &[]),
    row("sub", Family::Voice, true, &[]),
    row("w", Family::Voice, true, &["break", "emphasis", "phoneme", "prosody", "say-as", "sub"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_child_has_a_rule_of_its_own() {
        for child in RULES.iter().flat_map(|rule| rule.children) {
            assert!(rule(child).is_some(), "{child}");
        }
    }

    #[test]
    fn nesting_is_known() {
        assert!(allows("Response", "Say") && allows("Gather", "Say") && allows("Say", "break"));
        assert!(!allows("Say", "Dial") && !allows("Say", "Say"));
    }
}
