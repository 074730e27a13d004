//! Reads an answer as it comes and holds it to what was expected, byte for byte.

use memchr::memmem;

use crate::head;

/// What is expected of an answer.
pub struct Expected {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Head,
    Length(usize),
    ChunkSize,
    ChunkData(usize),
    /// The line end behind a chunk's data, and what is left of it.
    ChunkEnd(usize),
    Trailer,
    Done,
}

/// One answer in the reading.
pub struct Reader {
    phase: Phase,
    line: Vec<u8>,
    /// How much of the body came.
    seen: usize,
    /// Its status, once the head is read.
    pub status: u16,
    /// Whether the answer says `Connection: close`.
    pub closes: bool,
    /// The body, where nothing is expected and it is only to be read.
    pub collected: Vec<u8>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            phase: Phase::Head,
            line: Vec::new(),
            seen: 0,
            status: 0,
            closes: false,
            collected: Vec::new(),
        }
    }
}

impl Reader {
    /// Gets ready for the next answer on the connection.
    pub fn reset(&mut self) {
        self.phase = Phase::Head;
        self.line.clear();
        self.seen = 0;
        self.collected.clear();
    }

    /// Whether anything of the answer came.
    pub fn has_begun(&self) -> bool {
        self.phase != Phase::Head || !self.line.is_empty()
    }

    /// Takes what came; true when the answer is complete. Whatever is not as expected is an error.
    pub fn feed(&mut self, mut bytes: &[u8], expected: Option<&Expected>) -> Result<bool, String> {
        loop {
            match self.phase {
                Phase::Head => {
                    let Some(used) = self.head(bytes)? else { return Ok(false) };
                    if let Some(expected) = expected
                        && self.status != expected.status
                    {
                        return Err(format!(
                            "status {} instead of {}",
                            self.status, expected.status
                        ));
                    }
                    bytes = &bytes[used..];
                }
                Phase::Length(0) => self.phase = Phase::Done,
                Phase::Length(left) => {
                    if bytes.is_empty() {
                        return Ok(false);
                    }
                    let count = left.min(bytes.len());
                    self.body(&bytes[..count], expected)?;
                    bytes = &bytes[count..];
                    self.phase = Phase::Length(left - count);
                }
                Phase::ChunkSize | Phase::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', bytes) else {
                        self.line.extend_from_slice(bytes);
                        return Ok(false);
                    };
                    self.line.extend_from_slice(&bytes[..end]);
                    bytes = &bytes[end + 1..];
                    let line = self.line.trim_ascii();
                    self.phase = if self.phase == Phase::Trailer {
                        if line.is_empty() { Phase::Done } else { Phase::Trailer }
                    } else {
                        let text = std::str::from_utf8(line).unwrap_or("");
                        let size = usize::from_str_radix(text, 16)
                            .map_err(|_| format!("a chunk of size {text:?}"))?;
                        if size == 0 { Phase::Trailer } else { Phase::ChunkData(size) }
                    };
                    self.line.clear();
                }
                Phase::ChunkData(left) => {
                    if bytes.is_empty() {
                        return Ok(false);
                    }
                    let count = left.min(bytes.len());
                    self.body(&bytes[..count], expected)?;
                    bytes = &bytes[count..];
                    self.phase = if left == count {
                        Phase::ChunkEnd(2)
                    } else {
                        Phase::ChunkData(left - count)
                    };
                }
                Phase::ChunkEnd(0) => self.phase = Phase::ChunkSize,
                Phase::ChunkEnd(left) => {
                    if bytes.is_empty() {
                        return Ok(false);
                    }
                    bytes = &bytes[1..];
                    self.phase = Phase::ChunkEnd(left - 1);
                }
                Phase::Done => {
                    if !bytes.is_empty() {
                        return Err(format!("{} bytes behind the answer", bytes.len()));
                    }
                    if let Some(expected) = expected
                        && self.seen != expected.body.len()
                    {
                        return Err(format!(
                            "{} bytes of body instead of {}",
                            self.seen,
                            expected.body.len()
                        ));
                    }
                    return Ok(true);
                }
            }
        }
    }

    /// Reads the head; gives how many of `bytes` belong to it, once it is complete.
    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let before = self.line.len();
        // Almost always the head comes whole, and is read where it lies.
        let whole: &[u8] = if before == 0 {
            bytes
        } else {
            self.line.extend_from_slice(bytes);
            &self.line
        };
        let Some(end) = memmem::find(whole, b"\r\n\r\n") else {
            if before == 0 {
                self.line.extend_from_slice(bytes);
            }
            return Ok(None);
        };
        let head = &whole[..end + 2];
        self.status = head::status(head).ok_or("no status line")?;
        self.closes = head::says_close(head);
        self.phase = if head::is_chunked(head) {
            Phase::ChunkSize
        } else {
            Phase::Length(head::content_length(head).ok_or("neither Content-Length nor chunks")?)
        };
        self.line.clear();
        Ok(Some(end + 4 - before))
    }

    fn body(&mut self, part: &[u8], expected: Option<&Expected>) -> Result<(), String> {
        match expected {
            None => self.collected.extend_from_slice(part),
            Some(expected) => {
                if expected.body.get(self.seen..self.seen + part.len()) != Some(part) {
                    return Err(format!(
                        "the body differs from what was expected behind byte {}",
                        self.seen
                    ));
                }
            }
        }
        self.seen += part.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    const CHUNKS: &[u8] =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";

    fn expected(body: &[u8]) -> Expected {
        Expected { status: 200, body: body.to_vec() }
    }

    fn fed(parts: &[&[u8]], expected: &Expected) -> Result<bool, String> {
        let mut reader = Reader::default();
        let mut done = false;
        for part in parts {
            assert!(!done);
            done = reader.feed(part, Some(expected))?;
        }
        Ok(done)
    }

    #[test]
    fn an_answer_is_read_wherever_it_is_cut() {
        for answer in [LENGTH, CHUNKS] {
            for cut in 1..answer.len() {
                assert_eq!(
                    fed(&[&answer[..cut], &answer[cut..]], &expected(b"hello")),
                    Ok(true),
                    "{cut}"
                );
                assert_eq!(fed(&[&answer[..cut]], &expected(b"hello")), Ok(false), "{cut}");
            }
        }
    }

    #[test]
    fn what_differs_is_an_error() {
        for body in [&b"hellO"[..], b"hell", b"hello!"] {
            assert!(fed(&[LENGTH], &expected(body)).is_err());
            assert!(fed(&[CHUNKS], &expected(body)).is_err());
        }
        assert!(fed(&[LENGTH], &Expected { status: 500, body: b"hello".to_vec() }).is_err());
        assert!(
            fed(&[LENGTH, b"more"].concat().chunks(999).collect::<Vec<_>>(), &expected(b"hello"))
                .is_err()
        );
        assert!(fed(&[b"HTTP/1.1 200 OK\r\n\r\n"], &expected(b"")).is_err());
    }

    #[test]
    fn the_next_answer_begins_anew() {
        let mut reader = Reader::default();
        for _ in 0..2 {
            assert_eq!(reader.feed(LENGTH, Some(&expected(b"hello"))), Ok(true));
            assert!(reader.closes && reader.status == 200);
            reader.reset();
            assert!(!reader.has_begun());
        }
    }
}
