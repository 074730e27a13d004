//! A raw response head: its lines as they were sent, and what HTTP readers make of them.
//!
//! HTTP readers refuse some heads whole and pass over single lines of others without a word. This
//! reader is as strict in telling them apart and lenient in what it takes: wherever a status can be
//! read, it gives a head that every reader takes, and the lines that are missing from it.

mod reader;
mod status;

use std::ops::Range;

use http::StatusCode;

use self::reader::{Reader, TOO_LONG};
use self::status::{may_become_status, status_of};
use super::exchange::{OddPart, Oddities};

/// Most header lines that are kept of a head.
pub const MAX_LINES: usize = 256;

/// Header lines of most heads.
const USUAL_LINES: usize = 8;

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
    /// How it says that its body ends.
    pub framing: Framing,
    /// Whether it says HTTP/1.0.
    pub is_old: bool,
    /// Where the words behind the status stand; of an odd status line there may be control
    /// characters among them.
    pub reason: Range<usize>,
    /// The length that is announced, where it is too great to be believed.
    pub great_length: Option<u64>,
    /// The headers that every reader takes, in their order.
    pub headers: Vec<Header>,
    /// Whether the body has another Transfer-Encoding than `chunked` alone.
    is_coded: bool,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// It comes in chunks.
    Chunked,
    /// It has so many bytes.
    Length(u64),
    /// It ends with the connection.
    Close,
}

/// A header that every reader takes. Ranges are those of the bytes that were read.
#[derive(Debug)]
pub struct Header {
    line: Range<usize>,
    /// Its name as it was written.
    pub name: Range<usize>,
    /// The value on its line, without blanks around.
    pub value: Range<usize>,
    /// The same of the lines that were folded under it.
    pub folded: Vec<Range<usize>>,
    /// Whether it says how the body is framed, and is not believed.
    pub is_doubted: bool,
}

impl Header {
    /// The whole value, its lines joined by blanks.
    pub fn joined(&self, bytes: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        for part in std::iter::once(&self.value).chain(&self.folded) {
            if !all.is_empty() {
                all.push(b' ');
            }
            all.extend_from_slice(bytes.get(part.clone()).unwrap_or_default());
        }
        all.truncate(all.trim_ascii_end().len());
        all
    }
}

/// Reads the head at the start of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
    let rest = bytes.get(start..).unwrap_or_default();
    let Some(line) = Line::at(bytes, start) else {
        return if may_become_status(rest) { Reading::Partial } else { Reading::NoHead };
    };
    let Some(status) = status_of(bytes, &line) else { return Reading::NoHead };
    let mut reader = Reader {
        bytes,
        headers: Vec::with_capacity(USUAL_LINES),
        odd: Oddities::default(),
        cookies: 0,
        is_coded: false,
        great_length: None,
    };
    let before = bytes.get(..=start).unwrap_or_default();
    let is_lone = |pair: &[u8]| pair.first() == Some(&b'\r') && pair.last() != Some(&b'\n');
    let why = before.windows(2).any(is_lone).then_some(BYTES_BEFORE).or(status.why);
    if let Some(why) = why {
        reader.note(OddPart::StatusLine, line.content.clone(), why);
    }
    reader.returns(&line);
    let Some(len) = reader.lines(line.next) else { return Reading::Partial };
    let has_body = !status.code.is_informational() && !matches!(status.code.as_u16(), 204 | 304);
    let framing = if has_body { reader.framing(status.is_old) } else { Framing::None };
    reader.bound(len);
    let Reader { headers, odd, is_coded, great_length, .. } = reader;
    Reading::Head(RawHead {
        status: status.code,
        len,
        odd,
        framing,
        is_old: status.is_old,
        reason: status.reason,
        great_length,
        headers,
        is_coded,
    })
}

impl RawHead {
    /// Why an answer with this head can't be passed on as it is: a reader may understand it, or
    /// where its body ends, in another way than the next one. Blanks before a colon, folded lines
    /// and bare line feeds have one reading only; a great length is for the receiver to judge.
    pub fn unfit(&self) -> Option<&'static str> {
        let is_countable = self.great_length.is_some_and(|length| length < u64::MAX);
        let mut why = self.odd.lines.iter().map(|odd| odd.why);
        let odd = why.find(|&why| why != TOO_LONG || !is_countable);
        odd.or_else(|| self.is_coded.then_some("expected `chunked` as the only Transfer-Encoding"))
    }
}

const BYTES_BEFORE: &str = "other bytes stand before the status line";

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

/// Whether only bytes of a value stand here.
fn is_clean(text: &[u8]) -> bool {
    // Without an early end: many bytes are looked at at once.
    text.iter().fold(0, |odd, &b| odd | u8::from(!is_value_byte(b))) == 0
}

/// The same span without blanks around.
fn trimmed(bytes: &[u8], span: Range<usize>) -> Range<usize> {
    let text = bytes.get(span.clone()).unwrap_or_default();
    let start = span.start + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

/// Bytes of a header's value.
fn is_value_byte(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::reader::MAX_BYTES;
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

    /// The head as every reader takes it.
    fn plain(text: &str) -> String {
        let (head, bytes) = (head(text), text.as_bytes());
        let mut plain =
            format!("HTTP/1.1 {} {}\r\n", head.status.as_u16(), &text[head.reason.clone()]);
        for header in head.headers.iter().filter(|header| !header.is_doubted) {
            let value = String::from_utf8(header.joined(bytes)).unwrap();
            plain.extend([&text[header.name.clone()], ": ", &value, "\r\n"]);
        }
        plain + "\r\n"
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
    fn what_has_more_than_one_reading_is_not_fit_to_be_passed_on() {
        for lines in [
            "Nonsense",
            ": x",
            "A: \u{7f}",
            "A\u{1}: x",
            "A: \0",
            "Content-Length: +5",
            "Content-Length: 5, 9",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked, identity",
        ] {
            assert!(
                head(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n")).unfit().is_some(),
                "{lines}"
            );
        }
        for lines in [
            "A : x",
            "A: x\r\n y",
            "A: x\nB: y",
            "Content-Length: 5, 5",
            "Content-Length: 5000000000",
            "Transfer-Encoding: Chunked",
        ] {
            assert_eq!(
                head(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n")).unfit(),
                None,
                "{lines}"
            );
        }
    }

    #[test]
    fn of_too_many_lines_those_about_the_body_are_kept() {
        let many = "X-Some: y\r\n".repeat(300);
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
