//! Watches a stream: reads what passes both ways of a WebSocket, and says what it came to.
//!
//! Pure: bytes and times are passed in. It holds at most 64 KiB of a message each way, and nothing
//! that it can't read disturbs it: that direction is then only counted. One thing it stops: bytes
//! of the backend that are no WebSocket, where a frame should begin.

mod frames;
pub mod talk;

use std::time::Duration;

use bytes::Bytes;

use self::frames::{Event, Frames, Head, Malformed, Opcode};
use self::talk::{FromBackend, FromTwilio};
use super::stream::{Flow, Garbage, Rejected, Side, StreamEnd, StreamKind, StreamReport};

/// Most bytes of a message that are kept; of a longer one they tell what it is.
const MAX_MESSAGE: usize = 64 * 1024;

/// Most bytes of garbage that are kept.
const MAX_GARBAGE: usize = 256;

/// Twilio's codes for a binary frame and for an invalid message.
const BINARY: u32 = 31_950;
const INVALID: u32 = 31_951;

/// Reads one stream. Give it every chunk of either side with [`Watch::see`].
#[derive(Debug)]
pub struct Watch {
    report: StreamReport,
    twilio: Lane,
    backend: Lane,
    is_over: bool,
}

/// What of the bytes seen so far may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// All but so many at the end, which begin a frame's header: they go on with the next chunk,
    /// or when the side ends.
    But(usize),
    /// All but so many at the end, which are no WebSocket: they must never go on, and nothing
    /// behind them.
    Stop(usize),
}

/// One direction.
#[derive(Debug)]
struct Lane {
    frames: Frames,
    message: Vec<u8>,
    /// Bytes of the whole message.
    length: u64,
    is_binary: bool,
    /// An extension has packed it.
    is_packed: bool,
    /// Payload of the control frame that is being read.
    control: Vec<u8>,
}

impl Lane {
    fn new(from: Side, allowed: u8) -> Self {
        Self {
            frames: Frames::new(from, allowed),
            message: Vec::new(),
            length: 0,
            is_binary: false,
            is_packed: false,
            control: Vec::new(),
        }
    }

    fn begin(&mut self, head: Head) {
        match head.opcode {
            Opcode::Text | Opcode::Binary => {
                self.message.clear();
                // What one long message took is not kept for short ones.
                self.message.shrink_to(4 * 1024);
                self.length = 0;
                self.is_binary = head.opcode == Opcode::Binary;
                self.is_packed = head.reserved != 0;
            }
            Opcode::Continuation => {}
            Opcode::Close | Opcode::Ping | Opcode::Pong => self.control.clear(),
        }
    }

    fn take(&mut self, head: Head, at: u64, bytes: &[u8]) {
        let (kept, limit) = if head.opcode.is_control() {
            (&mut self.control, 125)
        } else {
            self.length += bytes.len() as u64;
            (&mut self.message, MAX_MESSAGE)
        };
        let room = limit - kept.len().min(limit);
        let bytes = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        let before = kept.len();
        kept.extend_from_slice(bytes);
        if let Some(mut mask) = head.mask {
            mask.rotate_left(usize::try_from(at % 4).unwrap_or_default());
            unmask(kept.get_mut(before..).unwrap_or_default(), mask);
        }
    }
}

/// Takes the mask off, many bytes in one step.
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let wide = u32::from_ne_bytes(mask);
    let (fours, rest) = bytes.as_chunks_mut::<4>();
    for four in fours {
        *four = (u32::from_ne_bytes(*four) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}

impl Watch {
    /// Behind a 101 on this path. `reserved`: bits of a frame's first byte that the extensions
    /// give a meaning to which both sides agreed on (0x40: permessage-deflate).
    pub fn new(path: &str, reserved: u8) -> Self {
        Self {
            report: StreamReport {
                path: path.to_owned(),
                status: Some(101),
                ..StreamReport::default()
            },
            twilio: Lane::new(Side::Twilio, reserved),
            backend: Lane::new(Side::Backend, reserved),
            is_over: false,
        }
    }

    /// Whether it is known how the stream ended: a side said goodbye or broke off, or was stopped.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What the stream came to so far.
    pub fn report(&self) -> &StreamReport {
        &self.report
    }

    /// Sees the next bytes from one side, so long after the 101.
    pub fn see(&mut self, from: Side, chunk: &[u8], now: Duration) -> Passage {
        self.flow(from).bytes += chunk.len() as u64;
        if self.is_over {
            return Passage::But(0);
        }
        let mut input = chunk;
        while let Some(event) = self.lane(from).frames.next(&mut input) {
            match event {
                Event::Head(head) => {
                    if !head.opcode.is_control() {
                        self.flow(from).frames += 1;
                    }
                    self.lane(from).begin(head);
                }
                Event::Payload(head, at, bytes) => self.lane(from).take(head, at, bytes),
                Event::End(head) if head.opcode == Opcode::Close => {
                    self.closed(from, now);
                    return Passage::But(0);
                }
                Event::End(head) => {
                    if head.is_last && !head.opcode.is_control() {
                        self.message(from);
                    }
                }
                Event::Malformed(malformed) => return self.malformed(from, malformed, input, now),
            }
        }
        match from {
            Side::Backend => Passage::But(self.backend.frames.begun_at_border()),
            Side::Twilio => Passage::But(0),
        }
    }

    /// Whether a frame of one's own could go on behind what went on from this side: that ended with
    /// a whole frame, and nobody said goodbye.
    pub fn is_at_border(&self, from: Side) -> bool {
        let is_whole = match from {
            Side::Backend => self.backend.frames.is_at_border(),
            // Its header went on as far as it came.
            Side::Twilio => {
                self.twilio.frames.is_at_border() && self.twilio.frames.begun_at_border() == 0
            }
        };
        is_whole && !self.is_over
    }

    /// One side's connection ended, so long after the 101.
    pub fn ended(&mut self, side: Side, now: Duration) {
        self.end(StreamEnd::Lost { by: side }, now);
    }

    /// The guard ends, so long after the 101.
    pub fn cut(&mut self, now: Duration) {
        self.end(StreamEnd::Cut, now);
    }

    fn lane(&mut self, from: Side) -> &mut Lane {
        match from {
            Side::Backend => &mut self.backend,
            Side::Twilio => &mut self.twilio,
        }
    }

    fn flow(&mut self, from: Side) -> &mut Flow {
        match from {
            Side::Backend => &mut self.report.outbound,
            Side::Twilio => &mut self.report.inbound,
        }
    }

    fn end(&mut self, end: StreamEnd, now: Duration) {
        if !self.is_over {
            self.is_over = true;
            self.report.end = end;
            self.report.duration = now;
            if self.report.kind != StreamKind::MediaStream {
                // The rules by which they were unfit are those of Media Streams.
                self.report.rejected.clear();
            }
        }
    }

    fn closed(&mut self, by: Side, now: Duration) {
        let payload = &self.lane(by).control;
        let code = match payload.as_slice() {
            [a, b, ..] => Some(u16::from_be_bytes([*a, *b])),
            _ => None,
        };
        let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
        self.end(StreamEnd::Closed { by, code, reason }, now);
    }

    fn malformed(&mut self, from: Side, bad: Malformed, rest: &[u8], now: Duration) -> Passage {
        self.flow(from).is_unread = true;
        if from == Side::Twilio {
            return Passage::But(0);
        }
        let begun = self.backend.frames.begun();
        let stopped = begun.len() + rest.len();
        let first: Vec<u8> = begun.iter().chain(rest).copied().take(MAX_GARBAGE).collect();
        let frames_before = self.report.outbound.frames;
        self.report.garbage =
            Some(Garbage { first: Bytes::from(first), why: bad.why, frames_before });
        if !bad.is_first && !bad.is_http {
            return Passage::But(0);
        }
        self.end(StreamEnd::Stopped, now);
        Passage::Stop(stopped)
    }

    fn message(&mut self, from: Side) {
        let lane = self.lane(from);
        if lane.is_packed {
            self.flow(from).is_unread = true;
            return;
        }
        let is_whole = lane.length == lane.message.len() as u64;
        match (from, is_whole) {
            (Side::Twilio, true) => self.twilio_said(),
            (Side::Backend, true) => self.backend_said(),
            (_, false) => {
                let (is_binary, sound) =
                    (lane.is_binary, talk::sound_of_long(&lane.message, lane.length));
                let flow = self.flow(from);
                match sound {
                    Some(sound) if !is_binary => flow.audio += sound,
                    _ => flow.messages += 1,
                }
            }
        }
    }

    fn twilio_said(&mut self) {
        let report = &mut self.report;
        if self.twilio.is_binary {
            report.inbound.messages += 1;
            return;
        }
        let said = talk::from_twilio(&self.twilio.message);
        if let FromTwilio::Media(sound) = said {
            report.inbound.audio += sound;
            return;
        }
        report.inbound.messages += 1;
        match said {
            FromTwilio::Start { stream_sid, call_sid } => {
                report.kind = StreamKind::MediaStream;
                report.has_started = true;
                report.stream_sid = stream_sid.or(report.stream_sid.take());
                report.call_sid = call_sid.or(report.call_sid.take());
            }
            FromTwilio::Setup { session_id, call_sid } => {
                report.kind = StreamKind::ConversationRelay;
                report.has_started = true;
                report.stream_sid = session_id.or(report.stream_sid.take());
                report.call_sid = call_sid.or(report.call_sid.take());
            }
            FromTwilio::Stop => report.has_stopped = true,
            FromTwilio::Error(description) => {
                report.told_error.get_or_insert(description);
            }
            FromTwilio::Connected | FromTwilio::Media(_) | FromTwilio::Other => {}
        }
    }

    fn backend_said(&mut self) {
        if self.backend.is_binary {
            let length = self.backend.length;
            self.reject(BINARY, || format!("{length} bytes"));
            return;
        }
        if self.report.kind == StreamKind::ConversationRelay {
            self.report.outbound.messages += 1;
            return;
        }
        match talk::from_backend(&self.backend.message, self.report.stream_sid.as_deref()) {
            FromBackend::Media(sound) => self.report.outbound.audio += sound,
            FromBackend::Other => self.report.outbound.messages += 1,
            FromBackend::Unfit(why) => {
                self.report.outbound.messages += 1;
                self.reject(INVALID, || why);
            }
        }
    }

    fn reject(&mut self, code: u32, first: impl FnOnce() -> String) {
        match self.report.rejected.iter_mut().find(|rejected| rejected.code == code) {
            Some(rejected) => rejected.count += 1,
            None => self.report.rejected.push(Rejected { code, count: 1, first: first() }),
        }
    }
}
