//! What a watched WebSocket came to: plain facts, for the judge and the record.

use std::time::Duration;

use bytes::Bytes;

use super::call::StreamDone;

/// What one stream came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// Path of the stream's URL (no query).
    pub path: String,
    /// The call, as Twilio's own messages (or the query) name it.
    pub call_sid: Option<String>,
    /// The stream, as Twilio's own messages name it.
    pub stream_sid: Option<String>,
    /// Which protocol was spoken.
    pub kind: StreamKind,
    /// Status of the handshake's answer; `None` when none came.
    pub status: Option<u16>,
    /// Whether Twilio said `start` (Media Streams) or `setup` (ConversationRelay).
    pub has_started: bool,
    /// From the handshake's answer to the end.
    pub duration: Duration,
    /// What came from Twilio.
    pub inbound: Flow,
    /// What came from the backend.
    pub outbound: Flow,
    /// Who ended it, and how.
    pub end: StreamEnd,
    /// The first bytes behind the 101 that are no WebSocket frame, where that is what came.
    pub garbage: Option<Bytes>,
    /// Messages of the backend that Twilio would reject, by Twilio's code, with what was seen
    /// first.
    pub rejected: Vec<Rejected>,
}

/// Which protocol a stream speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// `<Stream>`.
    MediaStream,
    /// `<ConversationRelay>`.
    ConversationRelay,
    /// Nothing was said that tells.
    #[default]
    Unknown,
}

/// What came from one side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Data frames (text and binary).
    pub frames: u64,
    /// Bytes on the wire.
    pub bytes: u64,
    /// Sound in `media` messages (8,000 bytes of mu-law a second).
    pub audio: Duration,
    /// Messages other than `media`.
    pub messages: u64,
}

/// How a stream ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StreamEnd {
    /// The handshake was refused, or nobody answered.
    #[default]
    Refused,
    /// A side closed it.
    Closed {
        /// Which.
        by: Side,
        /// Its close code; `None`: a close frame without one.
        code: Option<u16>,
        /// Its reason, bounded.
        reason: String,
    },
    /// A side's connection ended without a close frame.
    Lost {
        /// Whose.
        by: Side,
    },
    /// The guard closed it (1011), because the backend's bytes were no WebSocket.
    Stopped,
}

/// One end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The backend.
    Backend,
    /// Twilio.
    Twilio,
}

/// Messages that Twilio would reject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// 31950 (binary frame) or 31951 (invalid message).
    pub code: u32,
    /// How many.
    pub count: u64,
    /// What was seen first, bounded.
    pub first: String,
}

impl StreamReport {
    /// Whether it did its work, so that an empty answer behind it loses nothing: it lasted, the
    /// backend spoke, and it ended in order.
    pub fn did_its_work(&self, done: StreamDone) -> bool {
        let spoke = self.outbound.audio >= done.audio
            || (self.kind == StreamKind::ConversationRelay && self.outbound.messages > 0);
        self.duration >= done.after && spoke && self.ended_in_order()
    }

    /// Whether a side said goodbye as one does: 1000, 1001 or a close frame without a code.
    pub fn ended_in_order(&self) -> bool {
        match self.end {
            StreamEnd::Closed { code, .. } => matches!(code, None | Some(1000 | 1001)),
            StreamEnd::Lost { by } => by == Side::Twilio,
            StreamEnd::Refused | StreamEnd::Stopped => false,
        }
    }
}
