//! One direction of a WebSocket, frame by frame (RFC 6455, section 5), across any chunk borders.

use crate::guard::stream::Side;

/// Longest header of a frame, its mask included.
const MAX_HEADER: usize = 14;

/// What a web server's answer begins with; decisive where a frame should begin.
const HTTP: &[u8] = b"HTTP/1.";

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whether it is the last frame of its message.
    pub is_last: bool,
    /// The reserved bits, at their place in the first byte.
    pub reserved: u8,
    /// What it carries.
    pub opcode: Opcode,
    /// The bytes of its payload.
    pub len: u64,
    /// What its payload is masked with.
    pub mask: Option<[u8; 4]>,
}

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of a message.
    Continuation,
    /// A text message, or its beginning.
    Text,
    /// A binary message, or its beginning.
    Binary,
    /// The end of the stream.
    Close,
    /// A question whether the other side is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    const fn of(first: u8) -> Option<Self> {
        Some(match first & 0x0f {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Whether it speaks of the connection instead of carrying data.
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'c> {
    /// A frame begins.
    Head(Head),
    /// Bytes of its payload, unmasked only where no mask is; they stand at this offset in it.
    Payload(Head, u64, &'c [u8]),
    /// The frame is complete.
    End(Head),
    /// Here a frame should begin, and what came is none.
    Malformed(Malformed),
}

/// Bytes that are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub why: &'static str,
    /// Whether they are the direction's very first bytes.
    pub is_first: bool,
    /// Whether they are the head of a web server's answer.
    pub is_http: bool,
}

/// Reads one direction. Holds no more than a header.
#[derive(Debug)]
pub struct Frames {
    from: Side,
    /// Reserved bits that an extension gives a meaning to.
    allowed: u8,
    header: [u8; MAX_HEADER],
    filled: usize,
    state: State,
    is_first: bool,
    /// A message has begun and is not complete.
    in_message: bool,
}

#[derive(Debug)]
enum State {
    Header,
    Payload { head: Head, at: u64 },
    Lost,
}

enum Parsed {
    Partial,
    Head(Head),
    Malformed(&'static str),
}

impl Frames {
    /// `allowed`: reserved bits that may be set.
    pub const fn new(from: Side, allowed: u8) -> Self {
        Self {
            from,
            allowed,
            header: [0; MAX_HEADER],
            filled: 0,
            state: State::Header,
            is_first: true,
            in_message: false,
        }
    }

    /// The bytes of the header that is being read, or was read last.
    pub fn begun(&self) -> &[u8] {
        self.header.get(..self.filled).unwrap_or_default()
    }

    /// How many bytes of a header have come that is not complete.
    pub fn begun_at_border(&self) -> usize {
        if matches!(self.state, State::Header) { self.filled } else { 0 }
    }

    /// Whether a frame is about to begin: none is on its way.
    pub fn is_at_border(&self) -> bool {
        matches!(self.state, State::Header)
    }

    /// Takes the next piece off `input`; `None` when nothing is left of it. Behind
    /// [`Event::Malformed`] all input is passed over; [`Frames::begun`] are the bytes that it means.
    pub fn next<'c>(&mut self, input: &mut &'c [u8]) -> Option<Event<'c>> {
        match self.state {
            State::Lost => {
                *input = &[];
                None
            }
            State::Payload { head, at } if at == head.len => {
                self.state = State::Header;
                self.filled = 0;
                Some(Event::End(head))
            }
            State::Payload { head, at } => {
                let left = usize::try_from(head.len - at).unwrap_or(usize::MAX);
                let (now, rest) = input.split_at(left.min(input.len()));
                *input = rest;
                if now.is_empty() {
                    return None;
                }
                self.state = State::Payload { head, at: at + now.len() as u64 };
                Some(Event::Payload(head, at, now))
            }
            State::Header => self.header(input),
        }
    }

    fn header<'c>(&mut self, input: &mut &'c [u8]) -> Option<Event<'c>> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if let Some(place) = self.header.get_mut(self.filled) {
                *place = byte;
                self.filled += 1;
            }
            match self.parse() {
                Parsed::Partial => {}
                Parsed::Head(head) => {
                    self.is_first = false;
                    if !head.opcode.is_control() {
                        self.in_message = !head.is_last;
                    }
                    self.state = State::Payload { head, at: 0 };
                    return Some(Event::Head(head));
                }
                Parsed::Malformed(why) => {
                    self.state = State::Lost;
                    let is_http = self.from == Side::Backend && self.begun() == HTTP;
                    return Some(Event::Malformed(Malformed {
                        why,
                        is_first: self.is_first,
                        is_http,
                    }));
                }
            }
        }
        None
    }

    fn parse(&self) -> Parsed {
        let &[first, second, ref more @ ..] = self.begun() else { return Parsed::Partial };
        if let Some(why) = self.fault(first, second) {
            // All of a web server's answer begins are no header: wait until it is told apart.
            let may_be_http = HTTP.starts_with(self.begun()) && self.filled < HTTP.len();
            return if self.from == Side::Backend && may_be_http {
                Parsed::Partial
            } else {
                Parsed::Malformed(why)
            };
        }
        let (len, more) = match (second & 0x7f, more) {
            (126, [a, b, more @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), more),
            (127, more) => match more.split_first_chunk() {
                Some((length, more)) => (u64::from_be_bytes(*length), more),
                None => return Parsed::Partial,
            },
            (126, _) => return Parsed::Partial,
            (short, more) => (u64::from(short), more),
        };
        if len > u64::MAX / 2 {
            return Parsed::Malformed("a length with its first bit set");
        }
        let mask = match (second & 0x80 != 0, more) {
            (false, _) => None,
            (true, &[a, b, c, d, ..]) => Some([a, b, c, d]),
            (true, _) => return Parsed::Partial,
        };
        let Some(opcode) = Opcode::of(first) else {
            return Parsed::Malformed("a reserved opcode");
        };
        let (is_last, reserved) = (first & 0x80 != 0, first & 0x70);
        Parsed::Head(Head { is_last, reserved, opcode, len, mask })
    }

    /// What is wrong with a header's first two bytes.
    fn fault(&self, first: u8, second: u8) -> Option<&'static str> {
        let Some(opcode) = Opcode::of(first) else { return Some("a reserved opcode") };
        let is_last = first & 0x80 != 0;
        let is_masked = second & 0x80 != 0;
        if opcode.is_control() {
            if !is_last {
                return Some("a control frame in pieces");
            }
            if second & 0x7f > 125 {
                return Some("a control frame of more than 125 bytes");
            }
            if first & 0x70 != 0 {
                return Some("reserved bits in a control frame");
            }
        }
        if first & 0x70 & !self.allowed != 0 {
            return Some("reserved bits that no extension uses");
        }
        match (self.from, is_masked) {
            (Side::Backend, true) => return Some("a masked frame from a server"),
            (Side::Twilio, false) => return Some("a frame without a mask from a client"),
            _ => {}
        }
        match opcode {
            Opcode::Continuation if !self.in_message => Some("more of a message that never began"),
            Opcode::Text | Opcode::Binary if self.in_message => {
                Some("a new message inside of another")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(from: Side, bytes: &[u8]) -> Vec<Result<(Opcode, u64), &'static str>> {
        let (mut frames, mut input, mut heads) = (Frames::new(from, 0), bytes, Vec::new());
        while let Some(event) = frames.next(&mut input) {
            match event {
                Event::Head(head) => heads.push(Ok((head.opcode, head.len))),
                Event::Malformed(malformed) => heads.push(Err(malformed.why)),
                _ => {}
            }
        }
        heads
    }

    #[test]
    fn all_three_lengths_are_read() {
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x82, 126, 0, 200];
        bytes.extend([0; 200]);
        bytes.extend([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        let expected = [(Opcode::Text, 2), (Opcode::Binary, 200), (Opcode::Text, 65_536)];
        assert_eq!(heads(Side::Backend, &bytes), expected.map(Ok));
    }

    #[test]
    fn what_no_frame_may_be_is_told() {
        for (from, bytes, why) in [
            (Side::Backend, &b"\x83\x00"[..], "a reserved opcode"),
            (Side::Backend, b"\xc1\x00", "reserved bits that no extension uses"),
            (Side::Backend, b"\x81\x80", "a masked frame from a server"),
            (Side::Twilio, b"\x81\x00", "a frame without a mask from a client"),
            (Side::Backend, b"\x08\x00", "a control frame in pieces"),
            (Side::Backend, b"\x89\x7e", "a control frame of more than 125 bytes"),
            (Side::Backend, b"\x80\x00", "more of a message that never began"),
            (Side::Backend, b"<html>", "a reserved opcode"),
            (Side::Backend, b"\x81\x7f\xff\0\0\0\0\0\0\0", "a length with its first bit set"),
        ] {
            assert_eq!(heads(from, bytes), [Err(why)], "{bytes:?}");
        }
        let inside = heads(Side::Backend, b"\x01\x00\x81\x00");
        assert_eq!(inside, [Ok((Opcode::Text, 0)), Err("a new message inside of another")]);
    }

    #[test]
    fn a_web_servers_answer_is_told_from_other_garbage() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 500"[..], Some(true)),
            (b"HTTP/1", None),
            (b"HTTP/2 200", Some(false)),
            (b"Hello", Some(false)),
        ] {
            let (mut frames, mut input) = (Frames::new(Side::Backend, 0x70), bytes);
            let found = match frames.next(&mut input) {
                Some(Event::Malformed(malformed)) => Some(malformed.is_http),
                other => {
                    assert_eq!(other, None);
                    None
                }
            };
            assert_eq!(found, expected, "{bytes:?}");
        }
    }
}
