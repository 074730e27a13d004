//! A raw response head: its lines as they were sent, and what HTTP readers make of them.
//!
//! HTTP readers refuse some heads whole and pass over single lines of others without a word. This
//! reader is as strict in telling them apart and lenient in what it takes: wherever a status can be
//! read, it gives a head that every reader takes, and the lines that are missing from it.

use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;

use super::exchange::{OddLine, OddPart, Oddities};

/// Most header lines that are kept of a head.
pub const MAX_LINES: usize = 256;

/// Most bytes of header lines that are kept of a head, but for those about the body.
const MAX_BYTES: usize = 192 * 1024;

/// Lengths from here on are announced by mistake only.
const ABSURD_LENGTH: u64 = 1 << 30;

/// What the bytes that came so far are.
#[derive(Debug)]
pub enum Reading {
    /// A head that is not complete yet, or may become one.
    Partial,
    /// No head: no status can be read where it should stand.
    NoHead,
    /// A head.
    Head(RawHead),
}

/// A response head, and where it ends.
#[derive(Debug)]
pub struct RawHead {
    /// The status line's code.
    pub status: StatusCode,
    /// Where the body begins.
    pub len: usize,
    /// What HTTP readers refuse or pass over.
    pub odd: Oddities,
    reason: Range<usize>,
    headers: Vec<Header>,
}

/// A header that every reader takes, with what it was folded from.
#[derive(Debug)]
struct Header {
    line: Range<usize>,
    name: Range<usize>,
    value: Vec<Range<usize>>,
}

/// Reads the head at the start of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(line) = Line::at(bytes, start) else {
        return if may_become_status(rest) { Reading::Partial } else { Reading::NoHead };
    };
    let Some(status) = status_of(bytes, &line) else { return Reading::NoHead };
    let mut reader = Reader { bytes, headers: Vec::new(), odd: Oddities::default(), cookies: 0 };
    if let Some(why) = status.why {
        reader.note(OddPart::StatusLine, line.content.clone(), why);
    }
    reader.returns(&line);
    let Some(len) = reader.lines(line.next) else { return Reading::Partial };
    let has_body = !status.code.is_informational() && !matches!(status.code.as_u16(), 204 | 304);
    if has_body {
        reader.framing(status.is_old);
    }
    reader.bound();
    let Reader { headers, odd, .. } = reader;
    Reading::Head(RawHead { status: status.code, len, odd, reason: status.reason, headers })
}

impl RawHead {
    /// The head as every reader takes it.
    pub fn plain(&self, bytes: &[u8]) -> Vec<u8> {
        let piece = |span: &Range<usize>| bytes.get(span.clone()).unwrap_or_default();
        let mut plain = format!("HTTP/1.1 {} ", self.status.as_u16()).into_bytes();
        plain.extend(piece(&self.reason).iter().filter(|&&b| is_value_byte(b)));
        plain.extend_from_slice(b"\r\n");
        for header in &self.headers {
            plain.extend_from_slice(piece(&header.name));
            plain.extend_from_slice(b": ");
            for (at, part) in header.value.iter().enumerate() {
                if at > 0 {
                    plain.push(b' ');
                }
                plain.extend_from_slice(piece(part).trim_ascii());
            }
            plain.extend_from_slice(b"\r\n");
        }
        plain.extend_from_slice(b"\r\n");
        plain
    }
}

const TWO_RETURNS: &str = "ends in more than one carriage return";

/// One line of the head.
#[derive(Debug)]
struct Line {
    content: Range<usize>,
    /// Carriage returns at its end.
    returns: usize,
    next: usize,
}

impl Line {
    fn at(bytes: &[u8], start: usize) -> Option<Self> {
        let rest = bytes.get(start..)?;
        let len = memchr::memchr(b'\n', rest)?;
        let line = rest.get(..len)?;
        let returns = line.iter().rev().take_while(|&&b| b == b'\r').count();
        Some(Self { content: start..start + len - returns, returns, next: start + len + 1 })
    }
}

/// What was made of a status line.
struct Status {
    code: StatusCode,
    reason: Range<usize>,
    /// Whether it says HTTP/1.0.
    is_old: bool,
    /// Why readers refuse it.
    why: Option<&'static str>,
}

const STARTS: [&[u8]; 3] = [b"http", b"icy", b"status:"];

fn may_become_status(start: &[u8]) -> bool {
    let start = behind_mark(start);
    STARTS
        .iter()
        .any(|word| start.iter().zip(*word).all(|(found, own)| found.to_ascii_lowercase() == *own))
}

fn behind_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text).trim_ascii_start()
}

fn status_of(bytes: &[u8], line: &Line) -> Option<Status> {
    let text = bytes.get(line.content.clone())?;
    let own = behind_mark(text);
    let word = STARTS
        .into_iter()
        .find(|word| own.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
    let rest = own.get(word.len()..)?;
    let version =
        rest.iter().take_while(|&&b| b == b'/' || b == b'.' || b.is_ascii_digit()).count();
    let behind = rest.get(version..)?.trim_ascii_start();
    // A word and a number in one: `HTTP 200`, but not `HTTP200`.
    if version == 0 && rest.len() == behind.len() && !word.ends_with(b":") {
        return None;
    }
    let digits = behind.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits != 3 {
        return None;
    }
    let code = StatusCode::from_bytes(behind.get(..3)?).ok()?;
    let reason = line.content.end - behind.len() + 3..line.content.end;
    let version = rest.get(..version)?;
    let after = behind.get(3..)?;
    let blanks = rest.len() - version.len() - behind.len();
    let why = if own.len() != text.len() {
        Some("other bytes stand before the status line")
    } else if word != b"http" || !own.starts_with(b"HTTP/") || !matches!(version, b"/1.0" | b"/1.1")
    {
        Some("expected HTTP/1.1 or HTTP/1.0 at its start")
    } else if blanks != 1 || rest.get(version.len()) != Some(&b' ') {
        Some("expected one blank before the status")
    } else if !after.is_empty() && !after.starts_with(b" ") {
        Some("expected a blank behind the status")
    } else if !after.iter().all(|&b| is_value_byte(b)) {
        Some("a control character stands in it")
    } else {
        None
    };
    Some(Status { code, reason: trimmed(bytes, reason), is_old: version == b"/1.0", why })
}

fn trimmed(bytes: &[u8], span: Range<usize>) -> Range<usize> {
    let text = bytes.get(span.clone()).unwrap_or_default();
    let start = span.start + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

/// Bytes of a header's name (RFC 9110, section 5.6.2).
fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Bytes of a header's value.
fn is_value_byte(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7f)
}

struct Reader<'a> {
    bytes: &'a [u8],
    headers: Vec<Header>,
    odd: Oddities,
    cookies: usize,
}

impl Reader<'_> {
    fn piece(&self, span: &Range<usize>) -> &[u8] {
        self.bytes.get(span.clone()).unwrap_or_default()
    }

    /// Said once: they all end alike, as a rule.
    fn returns(&mut self, line: &Line) {
        if line.returns > 1 && !self.odd.lines.iter().any(|odd| odd.why == TWO_RETURNS) {
            self.note(OddPart::Head, line.content.clone(), TWO_RETURNS);
        }
    }

    fn note(&mut self, part: OddPart, line: Range<usize>, why: &'static str) {
        let line = Bytes::copy_from_slice(self.piece(&line));
        self.odd.note(OddLine { part, line, why, cookies_before: self.cookies });
    }

    /// Reads header lines from `start` to the head's end, which is given.
    fn lines(&mut self, start: usize) -> Option<usize> {
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

    fn values(&self, name: &[u8]) -> Vec<String> {
        let lines = self.headers.iter().filter(|header| self.is(header, name));
        let lines = lines.flat_map(|header| &header.value).map(|part| self.piece(part));
        let text = lines.map(String::from_utf8_lossy).collect::<Vec<_>>();
        text.iter().flat_map(|line| line.split(',')).map(|word| word.trim().to_owned()).collect()
    }

    /// Where the announced end of the body can't be trusted, nothing is announced at all.
    fn framing(&mut self, is_old: bool) {
        let codings = self.values(b"transfer-encoding");
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
        let said = self.values(b"content-length");
        let number = |word: &String| {
            let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| word.parse().unwrap_or(u64::MAX))
        };
        let numbers: Vec<Option<u64>> = said.iter().map(number).collect();
        let why = if numbers.iter().any(|number| number.is_none()) {
            "expected a number"
        } else if numbers.windows(2).any(|pair| pair.first() != pair.last()) {
            "the lengths differ"
        } else if numbers.iter().flatten().any(|&number| number >= ABSURD_LENGTH) {
            "no answer is that long"
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
    fn bound(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> RawHead {
        match read(text.as_bytes()) {
            Reading::Head(head) => head,
            other => panic!("{text:?}: {other:?}"),
        }
    }

    /// What is odd, as `part why`.
    fn odd(text: &str) -> Vec<(OddPart, &'static str)> {
        head(text).odd.lines.iter().map(|odd| (odd.part, odd.why)).collect()
    }

    fn plain(text: &str) -> String {
        String::from_utf8(head(text).plain(text.as_bytes())).unwrap()
    }

    #[test]
    fn an_ordinary_head_has_nothing_odd() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\n\r\n<Response/>",
            "HTTP/1.0 200\r\n\r\n",
            "\r\nHTTP/1.1 404 Not  Found\nX: \n\n",
            "HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Type : text/xml\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nContent-Length: many\r\n\r\n",
        ] {
            assert_eq!(head(text).odd, Oddities::default(), "{text:?}");
        }
        let text = "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody";
        assert_eq!(head(text).len, text.len() - 4);
    }

    #[test]
    fn what_may_still_become_a_head_is_waited_for() {
        for text in
            ["", "\r\n", "H", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\nA: b\r\n", "ic", "Status: 2"]
        {
            assert!(matches!(read(text.as_bytes()), Reading::Partial), "{text:?}");
        }
        for text in [
            "<html>",
            "SSH-2.0",
            "HTTP/1.1 abc OK\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "HTTP200\r\n",
            "HTTP/1.1 000 x\r\n",
        ] {
            assert!(matches!(read(text.as_bytes()), Reading::NoHead), "{text:?}");
        }
    }

    #[test]
    fn a_status_is_read_where_there_is_only_one_reading() {
        for line in [
            "HTTP/1.1  200 OK",
            "HTTP/1.1 200OK",
            "http/1.1 200 OK",
            "HTTP/2 200",
            "HTTP 200 OK",
            "ICY 200 OK",
            "Status: 200 OK",
            "\u{feff}HTTP/1.1 200 OK",
            " HTTP/1.1 200 OK",
            "HTTP/1.1\t200 OK",
            "HTTP/1.1 200 \u{1}OK",
        ] {
            let text = format!("{line}\r\nA: b\r\n\r\n");
            let found = odd(&text);
            assert!(matches!(found[..], [(OddPart::StatusLine, _)]), "{line:?}: {found:?}");
            assert_eq!(head(&text).status, 200);
            assert!(plain(&text).starts_with("HTTP/1.1 200 "), "{line:?}");
            assert!(plain(&text).ends_with("\r\nA: b\r\n\r\n"), "{line:?}");
        }
    }

    #[test]
    fn lines_that_readers_pass_over_are_told() {
        for (line, why) in [
            ("Nonsense", "it has no colon"),
            (": value", "it has no name"),
            ("b@d name: 1", "its name has a character that no name may have"),
            ("Set-Cookie: a=\u{b}", "a control character stands in it"),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\nA: 1\r\n{line}\r\nB: 2\r\n\r\n");
            assert_eq!(odd(&text), [(OddPart::Line, why)], "{line:?}");
            assert_eq!(plain(&text), "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n", "{line:?}");
        }
        let folded = "HTTP/1.1 200 OK\r\n x\r\nA: 1\r\n \u{1}\r\nB: 2\r\n\r\n";
        assert_eq!(odd(folded).len(), 2);
        assert_eq!(plain(folded), "HTTP/1.1 200 OK\r\nB: 2\r\n\r\n");
    }

    #[test]
    fn bytes_for_which_readers_refuse_the_head_cost_their_line_only() {
        for line in ["A: \0", "A: x\ry", "A\0: x"] {
            let text = format!("HTTP/1.1 200 OK\r\n{line}\r\nB: 2\r\n\r\n");
            assert!(matches!(odd(&text)[..], [(OddPart::Head, _)]), "{line:?}");
            assert_eq!(plain(&text), "HTTP/1.1 200 OK\r\nB: 2\r\n\r\n", "{line:?}");
        }
        let doubled = "HTTP/1.1 200 OK\r\r\nB: 2\r\r\n\r\r\n";
        assert_eq!(plain(doubled), "HTTP/1.1 200 OK\r\nB: 2\r\n\r\n");
        assert_eq!(head(doubled).len, doubled.len());
        assert!(head(doubled).odd.is_refused());
    }

    #[test]
    fn a_body_right_behind_the_headers_is_found() {
        let text = "HTTP/1.1 200 OK\r\nA: 1\r\n<Response>\n\n</Response>";
        let head = head(text);
        assert_eq!(&text[head.len..], "<Response>\n\n</Response>");
        assert!(head.odd.framing_is_lost && head.odd.is_refused());
    }

    #[test]
    fn lengths_that_say_nothing_are_taken_out() {
        for (lines, least) in [
            ("Content-Length: many", None),
            ("Content-Length: -1", None),
            ("Content-Length: +5", None),
            ("Content-Length:", None),
            ("Content-Length: 9\r\nContent-Length: 5", Some(5)),
            ("Content-Length: 5, 9", Some(5)),
            ("Content-Length: 99999999999999999999", None),
            ("Content-Length: 9999999999999", None),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\nB: 2\r\n\r\n");
            let head = head(&text);
            assert!(head.odd.framing_is_lost, "{lines:?}");
            assert_eq!(head.odd.least_length, least, "{lines:?}");
            assert!(head.odd.lines.iter().all(|odd| odd.part == OddPart::Length));
            assert_eq!(plain(&text), "HTTP/1.1 200 OK\r\nB: 2\r\n\r\n", "{lines:?}");
        }
    }

    #[test]
    fn codings_that_hide_chunks_are_taken_out() {
        for lines in [
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5",
            "Transfer-Encoding: \u{b}chunked",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\nB: 2\r\n\r\n");
            assert!(odd(&text).iter().any(|(part, _)| *part == OddPart::Coding), "{lines:?}");
            assert!(plain(&text).ends_with("OK\r\nB: 2\r\n\r\n"), "{lines:?}");
        }
        let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(head(old).odd.framing_is_lost);
    }

    #[test]
    fn of_too_many_lines_those_about_the_body_are_kept() {
        let many: String = (0..300).map(|n| format!("X-{n}: y\r\n")).collect();
        let text =
            format!("HTTP/1.1 200 OK\r\n{many}Content-Type: text/xml\r\nSet-Cookie: a=b\r\n\r\n");
        let kept = plain(&text);
        assert_eq!(kept.lines().count(), 2 + MAX_LINES);
        assert!(kept.contains("Content-Type: text/xml") && kept.contains("Set-Cookie: a=b"));
        assert!(head(&text).odd.is_refused() && !head(&text).odd.framing_is_lost);
        let cookies = format!("HTTP/1.1 200 OK\r\n{}\r\n", "Set-Cookie: a=b\r\n".repeat(300));
        assert_eq!(plain(&cookies).lines().count(), 2 + MAX_LINES);
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\nB: 2\r\n\r\n", "y".repeat(MAX_BYTES));
        assert_eq!(plain(&long), "HTTP/1.1 200 OK\r\nB: 2\r\n\r\n");
    }
}
