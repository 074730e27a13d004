//! The header lines.

use std::ops::Range;

use bytes::Bytes;

use super::{Framing, Header, Line, MAX_LINES, is_clean, trimmed};
use crate::guard::exchange::{OddLine, OddPart, Oddities};

/// Most bytes of header lines that are kept of a head, but for those about the body.
pub(super) const MAX_BYTES: usize = 192 * 1024;

/// What is said of a length that is a number and still not believed.
pub(super) const TOO_LONG: &str = "no answer is that long";

/// Lengths from here on are announced by mistake only.
const ABSURD_LENGTH: u64 = 1 << 30;

const TWO_RETURNS: &str = "ends in more than one carriage return";

/// Bytes of a header's name (RFC 9110, section 5.6.2).
const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// How many bytes of a name stand at the start.
fn name_len(text: &[u8]) -> usize {
    text.iter().take_while(|&&b| is_name_byte(b)).count()
}

/// Reads header lines, one after the other.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) headers: Vec<Header>,
    pub(super) odd: Oddities,
    pub(super) cookies: usize,
    pub(super) is_coded: bool,
    /// Where the one length that is announced is not believed.
    pub(super) great_length: Option<u64>,
}

impl Reader<'_> {
    fn piece(&self, span: &Range<usize>) -> &[u8] {
        self.bytes.get(span.clone()).unwrap_or_default()
    }

    /// Said once: they all end alike, as a rule.
    pub(super) fn returns(&mut self, line: &Line) {
        if line.returns > 1 && !self.odd.lines.iter().any(|odd| odd.why == TWO_RETURNS) {
            self.note(OddPart::Head, line.content.clone(), TWO_RETURNS);
        }
    }

    /// Notes an odd line.
    pub(super) fn note(&mut self, part: OddPart, line: Range<usize>, why: &'static str) {
        let line = Bytes::copy_from_slice(self.piece(&line));
        self.odd.note(OddLine { part, line, why, cookies_before: self.cookies });
    }

    /// Reads header lines from `start` to the head's end, which is given.
    pub(super) fn lines(&mut self, start: usize) -> Option<usize> {
        let mut next = start;
        // Whether the line before was taken, so that a folded one goes on from there.
        let mut goes_on = false;
        loop {
            let here = self.bytes.get(next..)?;
            if here.starts_with(b"<?xml") || here.starts_with(b"<Response") {
                self.note(OddPart::Head, next..next, "no blank line stands between head and body");
                self.odd.framing_is_lost = true;
                return Some(next);
            }
            let line = Line::at(self.bytes, next)?;
            next = line.next;
            if line.content.is_empty() {
                self.returns(&line);
                return Some(next);
            }
            goes_on = self.line(&line, goes_on);
        }
    }

    /// Takes one line; whether a folded line may follow.
    fn line(&mut self, line: &Line, goes_on: bool) -> bool {
        let text = self.piece(&line.content);
        let is_clean = is_clean(text);
        if !is_clean && let Some(why) = refused(text) {
            self.note(OddPart::Head, line.content.clone(), why);
            return false;
        }
        let is_folded = goes_on && matches!(text.first(), Some(b' ' | b'\t'));
        let header = if is_folded {
            is_clean.then_some(()).ok_or("a control character stands in it")
        } else {
            self.fresh(line)
        };
        match header {
            Ok(()) if is_folded => {
                let folded = trimmed(self.bytes, line.content.clone());
                if let Some(last) = self.headers.last_mut() {
                    last.folded.push(folded);
                    last.line.end = line.content.end;
                }
            }
            Ok(()) => {}
            Err(why) => {
                let mut whole = line.content.clone();
                if is_folded && let Some(begun) = self.headers.pop() {
                    self.cookies -= usize::from(self.is(&begun, b"set-cookie"));
                    whole.start = begun.line.start;
                }
                self.note(OddPart::Line, whole, why);
                self.returns(line);
                return false;
            }
        }
        self.returns(line);
        true
    }

    /// A header that begins with this line.
    fn fresh(&mut self, line: &Line) -> Result<(), &'static str> {
        let text = self.piece(&line.content);
        let len = name_len(text);
        let behind = text.get(len..).unwrap_or_default();
        let gap = behind.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let value = match (len, behind.get(gap)) {
            (0, Some(b':')) => return Err("it has no name"),
            (0, Some(_)) if gap > 0 => return Err("it goes on from no header"),
            (1.., Some(b':')) => behind.get(gap + 1..).unwrap_or_default(),
            _ if !text.contains(&b':') => return Err("it has no colon"),
            _ => return Err("its name has a character that no name may have"),
        };
        if !is_clean(value) {
            return Err("a control character stands in it");
        }
        let start = line.content.start;
        let value = trimmed(self.bytes, line.content.end - value.len()..line.content.end);
        let (line, name) = (line.content.clone(), start..start + len);
        let header = Header { line, name, value, folded: Vec::new(), is_doubted: false };
        self.cookies += usize::from(self.is(&header, b"set-cookie"));
        self.headers.push(header);
        Ok(())
    }

    fn is(&self, header: &Header, name: &[u8]) -> bool {
        self.piece(&header.name).eq_ignore_ascii_case(name)
    }

    fn named(&self, name: &'static [u8]) -> impl Iterator<Item = &Header> {
        self.headers.iter().filter(move |header| self.is(header, name))
    }

    /// The comma-separated words of a header, in all its lines.
    fn words(&self, name: &'static [u8]) -> Vec<String> {
        let words = self.named(name).flat_map(|header| {
            let value = String::from_utf8_lossy(&header.joined(self.bytes)).into_owned();
            value.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>()
        });
        words.collect()
    }

    /// How the body ends. Where its announced end can't be trusted, nothing is announced at all.
    pub(super) fn framing(&mut self, is_old: bool) -> Framing {
        if let Some(framing) = self.usual_framing(is_old) {
            return framing;
        }
        let codings = self.words(b"transfer-encoding");
        self.is_coded = codings.len() > 1
            || codings.first().is_some_and(|coding| !coding.eq_ignore_ascii_case("chunked"));
        let is_chunked = codings.last().is_some_and(|last| last.eq_ignore_ascii_case("chunked"));
        let disguised = codings.iter().any(|coding| coding.to_ascii_lowercase().contains("chunk"));
        let hidden = self.odd.lines.iter().any(|odd| odd.is_named("transfer-encoding"));
        if !codings.is_empty() && is_old {
            self.distrust(OddPart::Coding, "HTTP/1.0 has no Transfer-Encoding")
        } else if disguised && !is_chunked {
            self.distrust(OddPart::Coding, "expected `chunked` as the last coding")
        } else if codings.is_empty() && hidden {
            self.distrust(
                OddPart::Coding,
                "the line that says how the body is framed can't be read",
            )
        } else if codings.is_empty() {
            self.lengths()
        } else if is_chunked {
            Framing::Chunked
        } else {
            Framing::Close
        }
    }

    /// The same of the usual head: one length, `chunked` alone, or nothing of both.
    fn usual_framing(&self, is_old: bool) -> Option<Framing> {
        let (mut codings, mut lengths) =
            (self.named(b"transfer-encoding"), self.named(b"content-length"));
        let (coding, length) = (codings.next(), lengths.next());
        let is_one = codings.next().is_none() && lengths.next().is_none();
        if !is_one || !self.odd.lines.is_empty() {
            return None;
        }
        match (coding, length) {
            (None, None) => Some(Framing::Close),
            (Some(coding), None) if !is_old && coding.folded.is_empty() => self
                .piece(&coding.value)
                .eq_ignore_ascii_case(b"chunked")
                .then_some(Framing::Chunked),
            (None, Some(length)) if length.folded.is_empty() => {
                let length = number(self.piece(&length.value))?;
                (length < ABSURD_LENGTH).then_some(Framing::Length(length))
            }
            _ => None,
        }
    }

    fn lengths(&mut self) -> Framing {
        let said = self.words(b"content-length");
        let numbers: Vec<Option<u64>> = said.iter().map(|word| number(word.as_bytes())).collect();
        let why = if numbers.iter().any(Option::is_none) {
            "expected a number"
        } else if numbers.windows(2).any(|pair| pair.first() != pair.last()) {
            "the lengths differ"
        } else if numbers.iter().flatten().any(|&number| number >= ABSURD_LENGTH) {
            self.great_length = numbers.iter().copied().flatten().next();
            TOO_LONG
        } else {
            return numbers.into_iter().flatten().next().map_or(Framing::Close, Framing::Length);
        };
        self.odd.least_length =
            numbers.into_iter().flatten().filter(|&number| number < ABSURD_LENGTH).min();
        self.distrust(OddPart::Length, why)
    }

    fn distrust(&mut self, part: OddPart, why: &'static str) -> Framing {
        self.odd.framing_is_lost = true;
        let mut doubted = Vec::new();
        for header in &mut self.headers {
            let name = self.bytes.get(header.name.clone()).unwrap_or_default();
            let is_length = name.eq_ignore_ascii_case(b"content-length");
            header.is_doubted = is_length || name.eq_ignore_ascii_case(b"transfer-encoding");
            if header.is_doubted {
                let is_beside = part == OddPart::Coding && is_length;
                let why = if is_beside { "stands beside a Transfer-Encoding" } else { why };
                doubted.push((header.line.clone(), why));
            }
        }
        if doubted.is_empty() {
            self.note(part, 0..0, why);
        }
        for (line, why) in doubted {
            self.note(part, line, why);
        }
        Framing::Close
    }

    /// Of too many lines, those that say what the body is and those that came first.
    ///
    /// `len`: of the whole head.
    pub(super) fn bound(&mut self, len: usize) {
        const FIRST: [&[u8]; 6] = [
            b"content-type",
            b"content-length",
            b"transfer-encoding",
            b"content-encoding",
            b"location",
            b"set-cookie",
        ];
        if self.headers.len() <= MAX_LINES && len <= MAX_BYTES {
            return;
        }
        let len = |header: &Header| header.line.len();
        if self.headers.len() <= MAX_LINES
            && self.headers.iter().map(len).sum::<usize>() <= MAX_BYTES
        {
            return;
        }
        let first = |header: &Header| FIRST.iter().any(|name| self.is(header, name));
        let firsts = self.headers.iter().filter(|header| first(header)).count();
        let (mut left, mut bytes) = (MAX_LINES, MAX_BYTES);
        let mut others = MAX_LINES.saturating_sub(firsts);
        let keeps: Vec<bool> = self
            .headers
            .iter()
            .map(|header| {
                let is_first = first(header);
                let is_kept = left > 0 && (is_first || (others > 0 && len(header) <= bytes));
                if is_kept && !is_first {
                    others -= 1;
                    bytes -= len(header);
                }
                left -= usize::from(is_kept);
                is_kept
            })
            .collect();
        let beyond = keeps.iter().position(|kept| !kept).and_then(|at| self.headers.get(at));
        let line = beyond.map_or(0..0, |header| header.line.clone());
        self.note(OddPart::Head, line, "there are more than 256 header lines or 192 KiB of them");
        let mut keeps = keeps.into_iter();
        self.headers.retain(|_| keeps.next().unwrap_or_default());
    }
}

/// Why readers refuse a head with this line.
fn refused(text: &[u8]) -> Option<&'static str> {
    if text.contains(&0) {
        Some("a NUL stands in it")
    } else {
        text.contains(&b'\r').then_some("a carriage return stands inside it")
    }
}

/// A length; one that is greater than any is the greatest.
fn number(word: &[u8]) -> Option<u64> {
    let add = |number: u64, digit: &u8| match digit {
        b'0'..=b'9' => Some(number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
        _ => None,
    };
    (!word.is_empty()).then(|| word.iter().try_fold(0, add)).flatten()
}
