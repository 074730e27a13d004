//! What a watched WebSocket came to: plain facts, for the judge and the record.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::call::StreamDone;
use super::exchange::{Answer, Failure};

/// A handler that works takes longer to be through; a greeting alone does.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Most bytes that are kept of a refusal.
const MAX_FIRST: usize = 512;

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
    /// What the backend sent that is no WebSocket, where that is what came.
    pub garbage: Option<Garbage>,
    /// Messages of the backend that Twilio would reject, by Twilio's code, with what was seen
    /// first.
    pub rejected: Vec<Rejected>,
    /// Whether Twilio said `stop` (Media Streams).
    pub has_stopped: bool,
    /// The first complaint of ConversationRelay itself.
    pub told_error: Option<String>,
    /// The answer that refused the handshake.
    pub refusal: Option<Refusal>,
    /// Why no answer came to the handshake.
    pub failure: Option<Failure>,
    /// What a proxy in front took from the handshake, so that the backend was not asked.
    pub upgrade_lost: Option<String>,
}

/// Bytes of the backend that are no WebSocket frame, where one should begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// The first of them, bounded.
    pub first: Bytes,
    /// What no frame may have.
    pub why: &'static str,
    /// How many data frames came before.
    pub frames_before: u64,
}

/// The answer that refused a handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Its Content-Type, where it is text.
    pub content_type: Option<String>,
    /// The first bytes of its body.
    pub first: Bytes,
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
    /// Whether some of it could not be read: packed by an extension, or no frames any more.
    pub is_unread: bool,
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
    /// The guard itself ended, and its time for streams was over.
    Cut,
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

    /// Notes the answer to the handshake.
    pub fn note_answer(&mut self, answer: &Answer) {
        self.status = Some(answer.status.as_u16());
        if answer.status != StatusCode::SWITCHING_PROTOCOLS {
            let content_type = answer.headers.get(CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            let first = answer.body.slice(..answer.body.len().min(MAX_FIRST));
            self.refusal = Some(Refusal { content_type: content_type.map(str::to_owned), first });
        }
    }

    /// Whether the backend gave up as soon as it began, with nothing said, while Twilio went on.
    pub fn died_at_once(&self) -> bool {
        let Flow { audio, messages, is_unread, .. } = self.outbound;
        let is_silent = audio.is_zero() && messages == 0 && !is_unread && self.rejected.is_empty();
        self.has_started
            && !self.has_stopped
            && self.duration < AT_ONCE
            && is_silent
            && self.ended_by() == Some(Side::Backend)
    }

    /// Whether it was open and ended before Twilio's first `start` or `setup`.
    pub fn never_started(&self) -> bool {
        self.status == Some(101)
            && !self.has_started
            && !self.inbound.is_unread
            && self.ended_by().is_some()
    }

    /// How many messages of this code Twilio would reject, and the first of them.
    pub fn first_rejected(&self, code: u32) -> Option<String> {
        let Rejected { count, first, .. } = self.rejected.iter().find(|one| one.code == code)?;
        Some(format!("{count} of them; the first: {first}"))
    }

    /// Which side ended it.
    pub const fn ended_by(&self) -> Option<Side> {
        match self.end {
            StreamEnd::Closed { by, .. } | StreamEnd::Lost { by } => Some(by),
            StreamEnd::Refused | StreamEnd::Stopped | StreamEnd::Cut => None,
        }
    }

    /// Whether a side said goodbye as one does: 1000, 1001 or a close frame without a code.
    pub fn ended_in_order(&self) -> bool {
        match self.end {
            StreamEnd::Closed { code, .. } => matches!(code, None | Some(1000 | 1001)),
            StreamEnd::Lost { by } => by == Side::Twilio,
            StreamEnd::Refused | StreamEnd::Stopped | StreamEnd::Cut => false,
        }
    }

    /// What it came to, in one line: `lasted 0.3 s, 13 frames in, 0 audio out, closed 1000 by the
    /// backend`. What a side said is in it as sent.
    pub fn words(&self) -> String {
        if self.upgrade_lost.is_some() {
            return "lost its upgrade on the way to the guard".to_owned();
        }
        match (self.status, &self.end) {
            (None, _) => return "got no answer to its handshake".to_owned(),
            (Some(status), StreamEnd::Refused) => {
                return format!("was refused with {status} instead of 101");
            }
            _ => {}
        }
        let frames = |frames| if frames == 1 { "frame" } else { "frames" };
        let mut words = format!(
            "lasted {}, {} {} in, {}",
            seconds(self.duration),
            self.inbound.frames,
            frames(self.inbound.frames),
            self.came_back(),
        );
        if !self.has_started {
            words.push_str(", never started");
        }
        for Rejected { code, count, .. } in &self.rejected {
            // Writing to a String can't fail.
            let _ = write!(words, ", {count} of the backend's messages rejected ({code})");
        }
        words.push_str(", ");
        words.push_str(&self.end.words());
        words
    }

    /// What came from the backend.
    fn came_back(&self) -> String {
        let Flow { audio, messages, .. } = self.outbound;
        let said = if messages == 1 { "message" } else { "messages" };
        match self.kind {
            StreamKind::ConversationRelay => format!("{messages} {said} out"),
            _ if audio.is_zero() => "0 audio out".to_owned(),
            _ => format!("{} of audio out", seconds(audio)),
        }
    }
}

impl StreamEnd {
    /// How it ended, in a few words.
    fn words(&self) -> String {
        match self {
            Self::Refused => "refused".to_owned(),
            Self::Closed { by, code, reason } => {
                let code = code.map_or_else(|| "without a code".to_owned(), |c| c.to_string());
                let reason =
                    if reason.is_empty() { String::new() } else { format!(" \"{reason}\"") };
                format!("closed {code}{reason} by {}", by.words())
            }
            Self::Lost { by } => format!("{} broke off without a close frame", by.words()),
            Self::Stopped => {
                "stopped by the guard (1011): the backend's bytes were no WebSocket".to_owned()
            }
            Self::Cut => "cut by the end of the guard".to_owned(),
        }
    }
}

impl Side {
    const fn words(self) -> &'static str {
        match self {
            Self::Backend => "the backend",
            Self::Twilio => "Twilio",
        }
    }
}

/// `0.3 s`, `12.0 s`
fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran() -> StreamReport {
        StreamReport {
            status: Some(101),
            has_started: true,
            duration: Duration::from_millis(312),
            inbound: Flow { frames: 13, ..Flow::default() },
            end: StreamEnd::Closed { by: Side::Backend, code: Some(1000), reason: String::new() },
            ..StreamReport::default()
        }
    }

    #[test]
    fn a_stream_is_told_in_one_line() {
        assert_eq!(
            ran().words(),
            "lasted 0.3 s, 13 frames in, 0 audio out, closed 1000 by the backend"
        );
        let heard = Flow { audio: Duration::from_secs(12), messages: 1, ..Flow::default() };
        let by = Side::Twilio;
        let lost = StreamReport { outbound: heard, end: StreamEnd::Lost { by }, ..ran() };
        assert_eq!(
            lost.words(),
            "lasted 0.3 s, 13 frames in, 12.0 s of audio out, Twilio broke off without a close frame"
        );
        let relay = StreamReport { kind: StreamKind::ConversationRelay, outbound: heard, ..ran() };
        assert!(relay.words().contains(", 1 message out, "), "{}", relay.words());
    }

    #[test]
    fn what_never_ran_is_told_as_that() {
        assert_eq!(StreamReport::default().words(), "got no answer to its handshake");
        let refused = StreamReport { status: Some(400), ..StreamReport::default() };
        assert_eq!(refused.words(), "was refused with 400 instead of 101");
        let stopped = StreamReport { has_started: false, end: StreamEnd::Stopped, ..ran() }.words();
        assert!(stopped.contains("never started") && stopped.contains("1011"), "{stopped}");
        let rejected = Rejected { code: 31_951, count: 2, first: "{".to_owned() };
        let odd = StreamReport { rejected: vec![rejected], ..ran() }.words();
        assert!(odd.contains("2 of the backend's messages rejected (31951)"), "{odd}");
        let end = StreamEnd::Closed { by: Side::Twilio, code: None, reason: "bye".to_owned() };
        let closed = StreamReport { end, ..ran() }.words();
        assert!(closed.ends_with("closed without a code \"bye\" by Twilio"), "{closed}");
    }
}
