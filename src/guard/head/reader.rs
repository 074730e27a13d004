//! The header lines.

use std::ops::Range;

use bytes::Bytes;

use super::{Header, Line, MAX_LINES, is_value_byte};
use crate::guard::exchange::{OddLine, OddPart, Oddities};

/// Most bytes of header lines that are kept of a head, but for those about the body.
pub(super) const MAX_BYTES: usize = 192 * 1024;

/// What is said of a length that is a number and still not believed.
pub(super) const TOO_LONG: &str = "no answer is that long";

/// Lengths from here on are announced by mistake only.
const ABSURD_LENGTH: u64 = 1 << 30;

const TWO_RETURNS: &str = "ends in more than one carriage return";

/// Bytes of a header's name (RFC 9110, section 5.6.2).
fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Reads header lines, one after the other.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) headers: Vec<Header>,
    pub(super) odd: Oddities,
    pub(super) cookies: usize,
    pub(super) is_coded: bool,
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
        let refused = text
            .contains(&0)
            .then_some("a NUL stands in it")
            .or_else(|| text.contains(&b'\r').then_some("a carriage return stands inside it"));
        if let Some(why) = refused {
            self.note(OddPart::Head, line.content.clone(), why);
            return false;
        }
        let is_folded = goes_on && matches!(text.first(), Some(b' ' | b'\t'));
        let is_clean = text.iter().all(|&b| is_value_byte(b));
        let header = if is_folded {
            is_clean.then_some(()).ok_or("a control character stands in it")
        } else {
            self.fresh(line)
        };
        match header {
            Ok(()) if is_folded => {
                if let Some(last) = self.headers.last_mut() {
                    last.value.push(line.content.clone());
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
        let len = text.iter().take_while(|&&b| is_name_byte(b)).count();
        let behind = text.get(len..).unwrap_or_default();
        let gap = behind.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let value = match (len, behind.get(gap)) {
            (0, Some(b':')) => return Err("it has no name"),
            (0, Some(_)) if gap > 0 => return Err("it goes on from no header"),
            (1.., Some(b':')) => behind.get(gap + 1..).unwrap_or_default(),
            _ if !text.contains(&b':') => return Err("it has no colon"),
            _ => return Err("its name has a character that no name may have"),
        };
        if !value.iter().all(|&b| is_value_byte(b)) {
            return Err("a control character stands in it");
        }
        let start = line.content.start;
        let value = line.content.end - value.len()..line.content.end;
        let header =
            Header { line: line.content.clone(), name: start..start + len, value: vec![value] };
        self.cookies += usize::from(self.is(&header, b"set-cookie"));
        self.headers.push(header);
        Ok(())
    }

    fn is(&self, header: &Header, name: &[u8]) -> bool {
        self.piece(&header.name).eq_ignore_ascii_case(name)
    }

    /// The comma-separated words of a header, in all its lines.
    fn words(&self, name: &[u8]) -> Vec<String> {
        let named = self.headers.iter().filter(|header| self.is(header, name));
        let words = named.flat_map(|header| {
            let parts = header.value.iter().map(|part| self.piece(part)).collect::<Vec<_>>();
            let value = String::from_utf8_lossy(&parts.join(&b' ')).into_owned();
            value.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>()
        });
        words.collect()
    }

    /// Where the announced end of the body can't be trusted, nothing is announced at all.
    pub(super) fn framing(&mut self, is_old: bool) {
        let codings = self.words(b"transfer-encoding");
        self.is_coded = codings.len() > 1
            || codings.first().is_some_and(|coding| !coding.eq_ignore_ascii_case("chunked"));
        let is_chunked = codings.last().is_some_and(|last| last.eq_ignore_ascii_case("chunked"));
        let disguised = codings.iter().any(|coding| coding.to_ascii_lowercase().contains("chunk"));
        let hidden = self.odd.lines.iter().any(|odd| odd.is_named("transfer-encoding"));
        if !codings.is_empty() && is_old {
            self.distrust(OddPart::Coding, "HTTP/1.0 has no Transfer-Encoding");
        } else if disguised && !is_chunked {
            self.distrust(OddPart::Coding, "expected `chunked` as the last coding");
        } else if codings.is_empty() && hidden {
            self.distrust(
                OddPart::Coding,
                "the line that says how the body is framed can't be read",
            );
        } else if codings.is_empty() {
            self.lengths();
        }
    }

    fn lengths(&mut self) {
        let said = self.words(b"content-length");
        let number = |word: &String| {
            let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| word.parse().unwrap_or(u64::MAX))
        };
        let numbers: Vec<Option<u64>> = said.iter().map(number).collect();
        let why = if numbers.iter().any(Option::is_none) {
            "expected a number"
        } else if numbers.windows(2).any(|pair| pair.first() != pair.last()) {
            "the lengths differ"
        } else if numbers.iter().flatten().any(|&number| number >= ABSURD_LENGTH) {
            TOO_LONG
        } else {
            return;
        };
        self.odd.least_length =
            numbers.into_iter().flatten().filter(|&number| number < ABSURD_LENGTH).min();
        self.distrust(OddPart::Length, why);
    }

    fn distrust(&mut self, part: OddPart, why: &'static str) {
        self.odd.framing_is_lost = true;
        let (framing, kept) = std::mem::take(&mut self.headers).into_iter().partition(|header| {
            self.is(header, b"content-length") || self.is(header, b"transfer-encoding")
        });
        self.headers = kept;
        let framing: Vec<Header> = framing;
        for header in &framing {
            let is_beside = part == OddPart::Coding && self.is(header, b"content-length");
            let why = if is_beside { "stands beside a Transfer-Encoding" } else { why };
            self.note(part, header.line.clone(), why);
        }
        if framing.is_empty() {
            self.note(part, 0..0, why);
        }
    }

    /// Of too many lines, those that say what the body is and those that came first.
    pub(super) fn bound(&mut self) {
        const FIRST: [&[u8]; 6] = [
            b"content-type",
            b"content-length",
            b"transfer-encoding",
            b"content-encoding",
            b"location",
            b"set-cookie",
        ];
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
