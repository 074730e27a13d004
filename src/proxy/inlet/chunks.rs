//! The strict scanner of a chunked body.
//!
//! It follows the chunks to know where the body ends, and refuses what two readers could follow
//! differently. Pure: any cut of the bytes gives the same result.

use super::super::headers;
use super::fault::{Fault, Reason, bad};
use super::head::field;
use super::octets::no_control;

/// Most digits of a chunk's size: 2^60 bytes, which no reader's integer wraps at.
const DIGITS: u8 = 15;

/// Most bytes of one chunk's extensions, and of all in a body (CVE-2023-39326).
const EXTENSION: usize = 1024;
const EXTENSIONS: usize = 8 * 1024;

/// Most bytes of trailers.
const TRAILERS: usize = 8 * 1024;

/// Most lines of them.
const TRAILER_LINES: usize = 64;

const SIZE: Fault = chunk("expected a chunk's size in hexadecimal digits");
const EXTENSION_TOO_LONG: Fault = chunk("a chunk's extensions are too long");
const EXTENSION_ODD: Fault = chunk("a chunk's extension is empty or has a control character");
const LINE: Fault = chunk("expected a line end of carriage return and line feed in the chunks");
const END: Fault = chunk("a chunk is longer than its size says");
const TRAILER: Fault = chunk("the trailers have a line that is no header");
const TRAILER_NAME: Fault = chunk("the trailers have a header that belongs ahead of the body");
const TRAILERS_TOO_LARGE: Fault = chunk("the trailers are too large");

const fn chunk(why: &'static str) -> Fault {
    bad(Reason::Chunks, why)
}

/// Follows one body.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    state: State,
    /// Bytes of extensions so far.
    extensions: usize,
    trailers: Trailers,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64, len: usize },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataEnd,
    Trailer,
    TrailerEnd,
    Over,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

#[derive(Debug, Clone, Default)]
struct Trailers {
    line: Vec<u8>,
    bytes: usize,
    lines: usize,
}

/// How far bytes were understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// So many of the bytes belong to the body and are fine.
    pub used: usize,
    /// The last so many of these are data; the others are framing.
    pub data: usize,
    /// What stands behind them.
    pub then: Then,
}

/// What stands behind the bytes that were understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More of the body is to come.
    More,
    /// The body is over.
    Over,
    /// The rest is no chunk; nothing behind it can be trusted.
    Refused(Fault),
}

impl Scanner {
    /// Reads on, as far as the end of the next piece of data.
    pub fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..).filter(|rest| !rest.is_empty()) {
            let is_data = matches!(self.state, State::Data { .. });
            match self.step(rest) {
                Ok(taken) => used += taken,
                Err(fault) => return Scanned { used, data: 0, then: Then::Refused(fault) },
            }
            if is_data {
                let data = bytes.len() - rest.len();
                return Scanned { used, data: used - data, then: Then::More };
            }
            if matches!(self.state, State::Over) {
                return Scanned { used, data: 0, then: Then::Over };
            }
        }
        Scanned { used, data: 0, then: Then::More }
    }

    /// Takes one byte or a run of data; how many.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let Some(&byte) = bytes.first() else { return Ok(0) };
        let mut taken = 1;
        self.state = match self.state {
            State::Size { size, digits } => size_byte(size, digits, byte)?,
            State::Extension { size, len } => self.extension(size, len, byte)?,
            State::SizeEnd { size } => match (byte, size) {
                (b'\n', 0) => State::Trailer,
                (b'\n', left) => State::Data { left },
                _ => return Err(LINE),
            },
            State::Data { left } => {
                taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                match left - taken as u64 {
                    0 => State::DataReturn,
                    left => State::Data { left },
                }
            }
            State::DataReturn if byte == b'\r' => State::DataEnd,
            State::DataReturn => return Err(END),
            State::DataEnd if byte == b'\n' => State::default(),
            State::Trailer => self.trailers.byte(byte)?,
            State::TrailerEnd if byte == b'\n' => self.trailers.end()?,
            State::DataEnd | State::TrailerEnd => return Err(LINE),
            State::Over => return Ok(0),
        };
        Ok(taken)
    }

    fn extension(&mut self, size: u64, len: usize, byte: u8) -> Result<State, Fault> {
        self.extensions += 1;
        if len >= EXTENSION || self.extensions > EXTENSIONS {
            return Err(EXTENSION_TOO_LONG);
        }
        match byte {
            b'\r' if len > 0 => Ok(State::SizeEnd { size }),
            b'\t' | b' '..=b'~' => Ok(State::Extension { size, len: len + 1 }),
            b'\n' => Err(LINE),
            _ => Err(EXTENSION_ODD),
        }
    }
}

fn size_byte(size: u64, digits: u8, byte: u8) -> Result<State, Fault> {
    let digit = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        b'\r' if digits > 0 => return Ok(State::SizeEnd { size }),
        b';' if digits > 0 => return Ok(State::Extension { size, len: 0 }),
        _ => return Err(SIZE),
    };
    if digits == DIGITS {
        return Err(SIZE);
    }
    Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
}

impl Trailers {
    fn byte(&mut self, byte: u8) -> Result<State, Fault> {
        self.bytes += 1;
        if self.bytes > TRAILERS {
            return Err(TRAILERS_TOO_LARGE);
        }
        match byte {
            b'\r' => return Ok(State::TrailerEnd),
            b'\n' => return Err(LINE),
            _ => self.line.push(byte),
        }
        no_control(&[byte]).map_err(|_| TRAILER)?;
        Ok(State::Trailer)
    }

    fn end(&mut self) -> Result<State, Fault> {
        if self.line.is_empty() {
            return Ok(State::Over);
        }
        self.lines += 1;
        if self.lines > TRAILER_LINES {
            return Err(TRAILERS_TOO_LARGE);
        }
        let (name, ..) = field(&self.line).map_err(|_| TRAILER)?;
        if headers::is_acted_on(name) || headers::is_alias(name) {
            return Err(TRAILER_NAME);
        }
        self.line.clear();
        Ok(State::Trailer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where a body ends, and its data.
    fn read(scanner: &mut Scanner, bytes: &[u8]) -> (usize, Vec<u8>, Then) {
        let (mut used, mut data) = (0, Vec::new());
        loop {
            let step = scanner.scan(&bytes[used..]);
            used += step.used;
            data.extend_from_slice(&bytes[used - step.data..used]);
            if step.then != Then::More || step.used == 0 {
                return (used, data, step.then);
            }
        }
    }

    fn scanned(bytes: &[u8]) -> (usize, Vec<u8>, Then) {
        read(&mut Scanner::default(), bytes)
    }

    fn is_refused(bytes: impl AsRef<[u8]>) -> bool {
        matches!(scanned(bytes.as_ref()).2, Then::Refused(_))
    }

    #[test]
    fn a_body_ends_where_it_says() {
        for (body, data) in [
            ("0\r\n\r\n", ""),
            ("3\r\nabc\r\n0\r\n\r\n", "abc"),
            ("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "abcde"),
            ("000A\r\n0123456789\r\n00\r\n\r\n", "0123456789"),
            ("3;a=b; c=\"d\"\r\nabc\r\n0;x\r\n\r\n", "abc"),
            ("0\r\nDigest: x\r\nEmpty:\r\n\r\n", ""),
        ] {
            let all = format!("{body}GET / HTTP/1.1\r\n");
            let expected = (body.len(), data.as_bytes().to_vec(), Then::Over);
            assert_eq!(scanned(all.as_bytes()), expected, "{body:?}");
            for end in 0..body.len() {
                let (used, part, then) = scanned(&body.as_bytes()[..end]);
                assert_eq!((used, then), (end, Then::More), "{body:?}");
                assert!(data.as_bytes().starts_with(&part), "{body:?}");
            }
        }
    }

    #[test]
    fn what_readers_follow_differently_is_refused() {
        for body in [
            "\r\n",
            "x\r\n",
            "0x3\r\nabc",
            "+3\r\nabc",
            "-3\r\n",
            " 3\r\nabc",
            "3 \r\nabc",
            "3\t;a\r\n",
            "3\nabc",
            "3\rabc",
            "3;\r\nabc",
            "3;a\nabc",
            "3;a\0\r\nabc",
            "3;a\r\r\nabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabc\r0\r\n\r\n",
            "3\r\nabc0\r\n\r\n",
            "_3\r\n",
            "3_0\r\n",
            "٣\r\n",
            "0\r\n\n",
            "0\r\nno colon\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\n: x\r\n",
            "0\r\nA : x\r\n",
            "0\r\n folded: x\r\n",
            "0\r\nA: b\r\n folded\r\n",
            "0\r\nA: \0\r\n",
            "0\r\nContent-Length: 3\r\n",
            "0\r\ntransfer-encoding: chunked\r\n",
            "0\r\nHost: a\r\n",
            "0\r\nX_Twilio_Signature: a\r\n",
        ] {
            assert!(is_refused(body), "{body:?}");
        }
    }

    #[test]
    fn cve_2021_32714_a_size_does_not_wrap() {
        assert!(is_refused("f0000000000000003\r\nabc\r\n"));
        assert!(is_refused("0000000000000003\r\nabc\r\n"), "one reader's wrap is another's zero");
        assert!(!is_refused("fffffffffffffff\r\nabc"));
    }

    #[test]
    fn cve_2023_39326_extensions_are_bounded() {
        assert!(is_refused(format!("1;{}\r\na\r\n", "x".repeat(EXTENSION + 1))));
        let chunk = format!("1;{}\r\na\r\n", "x".repeat(100));
        assert!(!is_refused(chunk.repeat(20)) && is_refused(chunk.repeat(100)));
    }

    #[test]
    fn trailers_are_bounded() {
        assert!(is_refused(format!("0\r\nA: {}\r\n", "x".repeat(TRAILERS))));
        assert!(is_refused(format!("0\r\n{}", "A: b\r\n".repeat(TRAILER_LINES + 1))));
        assert!(!is_refused(format!("0\r\n{}\r\n", "A: b\r\n".repeat(TRAILER_LINES))));
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_result(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("3\r\nabc\r\n".to_owned()), Just("0\r\n".to_owned()), Just("\r\n".to_owned()),
                    Just("1;a=b\r\nx\r\n".to_owned()), Just("A: b\r\n".to_owned()), "[0-9a-f;\r\n x]{0,4}",
                ],
                0..8,
            ),
            cut in 1_usize..5,
        ) {
            let all = pieces.concat();
            let expected = scanned(all.as_bytes());
            let (mut scanner, mut used, mut then) = (Scanner::default(), 0, Then::More);
            let mut data = Vec::new();
            for piece in all.as_bytes().chunks(cut) {
                let part = read(&mut scanner, piece);
                used += part.0;
                data.extend(part.1);
                then = part.2;
                if then != Then::More {
                    break;
                }
            }
            prop_assert_eq!((used, data, then), expected);
        }
    }
}
