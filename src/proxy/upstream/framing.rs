//! Where the body of an answer ends: by its length, its chunks, or with its connection.
//!
//! Chunks are read as leniently as their sizes have one reading: extensions are passed over, and
//! trailers are taken.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::guard::head;

/// Most bytes of all chunk extensions of a body.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// Most bytes of trailers.
const MAX_TRAILERS: usize = 16 * 1024;

/// From what is left of a chunk on it counts as large.
const LARGE: u64 = 4 * 1024;

/// What comes next of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// How much of a body is still to come.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    Chunked(Chunks),
    /// Whatever comes until the connection ends.
    Close,
    /// Nothing.
    Over,
}

/// The state of a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Of the chunk, what is still to come.
    size: u64,
    extensions: usize,
    trailers: BytesMut,
    /// What is wrong behind the piece that was given last.
    fault: Option<&'static str>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    SizeStart,
    Size,
    BlankAfterSize,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    Trailers,
    /// The last line feed came.
    End,
}

impl Framing {
    /// `has_none`: the answer to this request has no body, whatever it says.
    pub(super) fn of(said: head::Framing, has_none: bool) -> Self {
        match said {
            head::Framing::None | head::Framing::Length(0) => Self::Over,
            _ if has_none => Self::Over,
            head::Framing::Length(length) => Self::Length(length),
            head::Framing::Chunked => Self::Chunked(Chunks::default()),
            head::Framing::Close => Self::Close,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// The bytes still to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Over => Some(0),
            Self::Chunked(_) | Self::Close => None,
        }
    }

    /// Room for what the next read may bring.
    pub(super) fn wanted(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            // Behind a large chunk comes another one.
            Self::Chunked(chunks) if chunks.at == At::Data && chunks.size >= LARGE => u64::MAX,
            Self::Chunked(chunks) if chunks.at == At::Data => chunks.size.saturating_add(64),
            Self::Chunked(_) => 0,
            Self::Close | Self::Over => u64::MAX,
        }
    }

    /// Takes the next piece from what came; `None` when more has to come, or nothing will.
    pub(super) fn take(&mut self, came: &mut Bytes) -> Result<Option<Piece>, &'static str> {
        match self {
            Self::Over => Ok(None),
            Self::Close if came.is_empty() => Ok(None),
            Self::Close => Ok(Some(Piece::Data(std::mem::take(came)))),
            Self::Length(left) => {
                let data = split(came, *left);
                self.skip(data.len());
                Ok((!data.is_empty()).then_some(Piece::Data(data)))
            }
            Self::Chunked(chunks) => {
                let piece = chunks.take(came)?;
                if chunks.at == At::End && chunks.trailers.is_empty() {
                    *self = Self::Over;
                }
                Ok(piece)
            }
        }
    }

    /// Of so many bytes of data, how many belong to the body; they count as taken.
    pub(super) fn skip(&mut self, came: usize) -> usize {
        let Self::Length(left) = self else { return 0 };
        let own = usize::try_from(*left).unwrap_or(usize::MAX).min(came);
        *left -= own as u64;
        if *left == 0 {
            *self = Self::Over;
        }
        own
    }

    /// The connection ended. The error: too early.
    pub(super) fn end(&mut self) -> Result<(), &'static str> {
        match std::mem::replace(self, Self::Over) {
            Self::Close | Self::Over => Ok(()),
            Self::Chunked(chunks) if chunks.at != At::Data => {
                Err("unexpected EOF during chunk size line")
            }
            Self::Chunked(_) | Self::Length(_) => Err("end of file before message length reached"),
        }
    }
}

fn split(came: &mut Bytes, most: u64) -> Bytes {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if came.len() <= most { std::mem::take(came) } else { came.split_to(most) }
}

impl Chunks {
    fn take(&mut self, came: &mut Bytes) -> Result<Option<Piece>, &'static str> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.advance(came)?;
        if self.has_data(came) {
            let data = self.next(came);
            return Ok(Some(Piece::Data(self.with_next(data, came))));
        }
        if self.at == At::End && !self.trailers.is_empty() {
            let lines = self.trailers.split();
            return trailers(&lines).map(|all| Some(Piece::Trailers(all)));
        }
        Ok(None)
    }

    /// A piece with the data of the chunks that are here behind it, so that all of it leaves at once:
    /// to copy it costs less than to write it in pieces.
    fn with_next(&mut self, data: Bytes, came: &mut Bytes) -> Bytes {
        if !self.has_data(came) {
            return data;
        }
        let mut all = BytesMut::with_capacity(data.len() + came.len());
        all.extend_from_slice(&data);
        while self.has_data(came) {
            all.extend_from_slice(&self.next(came));
        }
        all.freeze()
    }

    fn has_data(&self, came: &Bytes) -> bool {
        self.at == At::Data && !came.is_empty() && self.fault.is_none()
    }

    /// The next piece of a chunk that is here.
    fn next(&mut self, came: &mut Bytes) -> Bytes {
        let data = split(came, self.size);
        self.size -= data.len() as u64;
        if self.size == 0 {
            self.at = At::DataReturn;
        }
        // What follows is read at once where it is here: the end is known with the last piece.
        self.fault = self.advance(came).err();
        data
    }

    /// Reads what stands between two pieces of data.
    fn advance(&mut self, came: &mut Bytes) -> Result<(), &'static str> {
        while !matches!(self.at, At::Data | At::End) {
            let Some(&byte) = came.first() else { break };
            came.advance(1);
            self.at = self.step(byte)?;
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<At, &'static str> {
        match (self.at, byte) {
            (At::SizeStart | At::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size =
                    self.size.checked_mul(16).and_then(|size| size.checked_add(digit.into()));
                self.size = size.ok_or("invalid chunk size: overflow")?;
                Ok(At::Size)
            }
            (At::SizeStart, _) => Err("Invalid chunk size line: missing size digit"),
            (At::Size | At::BlankAfterSize, b'\t' | b' ') => Ok(At::BlankAfterSize),
            (At::Size | At::BlankAfterSize, b';') => Ok(At::Extension),
            (At::Size | At::BlankAfterSize | At::Extension, b'\r') => Ok(At::SizeEnd),
            (At::Size, _) => Err("Invalid chunk size line: Invalid Size"),
            (At::BlankAfterSize, _) => Err("Invalid chunk size linear white space"),
            (At::Extension, b'\n') => Err("invalid chunk extension contains newline"),
            (At::Extension, _) => {
                self.extensions += 1;
                let fits = self.extensions < MAX_EXTENSIONS;
                fits.then_some(At::Extension).ok_or("chunk extensions over limit")
            }
            (At::SizeEnd, b'\n') => Ok(if self.size == 0 { At::Trailers } else { At::Data }),
            (At::SizeEnd, _) => Err("Invalid chunk size LF"),
            (At::DataReturn, b'\r') => Ok(At::DataEnd),
            (At::DataReturn, _) => Err("Invalid chunk body CR"),
            (At::DataEnd, b'\n') => Ok(At::SizeStart),
            (At::DataEnd, _) => Err("Invalid chunk body LF"),
            (At::Trailers, _) => self.trailer(byte),
            (At::Data | At::End, _) => Ok(self.at),
        }
    }

    fn trailer(&mut self, byte: u8) -> Result<At, &'static str> {
        let is_return = |before: Option<&u8>| before == Some(&b'\r');
        if (byte == b'\n') != is_return(self.trailers.last()) {
            return Err("Invalid trailer end LF");
        }
        if self.trailers.len() >= MAX_TRAILERS {
            return Err("chunk trailers bytes over limit");
        }
        self.trailers.extend_from_slice(&[byte]);
        if self.trailers[..] == b"\r\n"[..] {
            self.trailers.clear();
            return Ok(At::End);
        }
        Ok(if self.trailers.ends_with(b"\r\n\r\n") { At::End } else { At::Trailers })
    }
}

/// The trailers in these lines, read as the lines of a head.
fn trailers(lines: &[u8]) -> Result<HeaderMap, &'static str> {
    const START: &[u8] = b"HTTP/1.1 204 \r\n";
    const INVALID: &str = "invalid HTTP header parsed";
    let bytes = [START, lines].concat();
    let head::Reading::Head(head) = head::read(&bytes) else { return Err(INVALID) };
    if !head.odd.lines.is_empty() {
        return Err(INVALID);
    }
    let mut all = HeaderMap::with_capacity(head.headers.len());
    for header in &head.headers {
        let name = bytes.get(header.name.clone()).unwrap_or_default();
        let name = HeaderName::from_bytes(name).map_err(|_| INVALID)?;
        let value = HeaderValue::from_bytes(&header.joined(&bytes)).map_err(|_| INVALID)?;
        all.append(name, value);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(piece: Option<Piece>) -> Bytes {
        match piece {
            Some(Piece::Data(data)) => data,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn chunks_that_came_together_are_one_piece() {
        let mut framing = Framing::of(head::Framing::Chunked, false);
        let mut came = Bytes::from_static(b"3\r\nabc\r\n2;x=y\r\nde\r\n5\r\nfg");
        assert_eq!(data(framing.take(&mut came).unwrap()), "abcdefg");
        assert!(framing.take(&mut came).unwrap().is_none());
        // Of a chunk that is not whole, room for the rest of it is wanted, and what follows it.
        assert_eq!(framing.wanted(), 3 + 64);
        let mut came = Bytes::from_static(b"hij\r\n0\r\n\r\n");
        assert_eq!(data(framing.take(&mut came).unwrap()), "hij");
        assert!(framing.is_over());
    }

    #[test]
    fn what_came_before_a_fault_is_given_first() {
        let mut framing = Framing::of(head::Framing::Chunked, false);
        let mut came = Bytes::from_static(b"3\r\nabc\r\n2\r\nde\r\nx");
        assert_eq!(data(framing.take(&mut came).unwrap()), "abcde");
        assert!(framing.take(&mut came).is_err());
    }
}
