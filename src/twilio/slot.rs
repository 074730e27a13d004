//! The slot: what Twilio does with an answer.

use std::fmt;
use std::str::FromStr;

/// What Twilio does with the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// `action` of Gather, Record, Dial, Connect, Enqueue, Pay, Refer.
    Action,
    /// `statusCallback` and its kin: nothing is expected.
    Callback,
    /// `waitUrl`, `holdUrl`, `announceUrl` of a conference.
    ConferenceWait,
    /// A number's Messaging URL and its `<Redirect>`.
    Messaging,
    /// `<Stream url>`, ConversationRelay: a WebSocket.
    Stream,
    /// A number's Voice URL, `<Redirect>`, the fallback URL.
    Voice,
    /// `waitUrl` of `<Enqueue>`.
    Wait,
    /// `url` of Number, Client, Sip, Queue inside `<Dial>`.
    Whisper,
}

impl Slot {
    /// Every slot, in the order in which docs list them.
    pub const ALL: [Self; 8] = [
        Self::Voice,
        Self::Action,
        Self::Whisper,
        Self::Wait,
        Self::ConferenceWait,
        Self::Messaging,
        Self::Callback,
        Self::Stream,
    ];

    /// The slot's name in config, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Callback => "callback",
            Self::ConferenceWait => "conference-wait",
            Self::Messaging => "messaging",
            Self::Stream => "stream",
            Self::Voice => "voice",
            Self::Wait => "wait",
            Self::Whisper => "whisper",
        }
    }

    /// Whether Twilio reads the answer as TwiML.
    pub const fn takes_twiml(self) -> bool {
        !matches!(self, Self::Callback | Self::Stream)
    }

    /// Whether the answer steers a voice call.
    pub const fn is_voice(self) -> bool {
        self.takes_twiml() && !matches!(self, Self::Messaging)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a route says about its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlotSetting {
    /// The request's parameters decide, else voice.
    #[default]
    Auto,
    /// Always this slot.
    Fixed(Slot),
    /// Not guarded: streams through.
    Pass,
}

impl SlotSetting {
    /// Every accepted spelling.
    pub const NAMES: [&'static str; 10] = [
        "auto",
        "voice",
        "action",
        "whisper",
        "wait",
        "conference-wait",
        "messaging",
        "callback",
        "stream",
        "pass",
    ];

    /// The spelling used in config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fixed(slot) => slot.name(),
            Self::Pass => "pass",
        }
    }
}

/// A word that names no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}, found `{found}`", SlotSetting::NAMES.join(", "))]
pub struct UnknownSlot {
    /// The word that was given.
    pub found: String,
}

impl FromStr for SlotSetting {
    type Err = UnknownSlot;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "auto" => Ok(Self::Auto),
            "pass" => Ok(Self::Pass),
            other => Slot::ALL
                .into_iter()
                .find(|slot| slot.name() == other)
                .map(Self::Fixed)
                .ok_or_else(|| UnknownSlot { found: other.to_owned() }),
        }
    }
}
