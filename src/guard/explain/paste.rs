//! Reading what a person pasted: what `curl -i` showed, however it was saved, what other clients
//! print, what Twilio logged.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::super::{Answer, BodyEnd, Failure, Oddities, Outcome};
use super::curl_error::failure;
use super::event::{self, Event, Logged};
use super::head::{
    MAX_HEAD_LINES, dechunk, declared_length, has_bare_headers, header_of, status_of,
};
use super::powershell::{self, Listing};
use super::request::{self, Request};
use super::terminal::{self, CurlError, bare, lines, without_escapes};

/// An answer read from a paste.
#[derive(Debug, Clone)]
pub struct Paste {
    /// What the backend gave.
    pub outcome: Outcome,
    /// Status lines of answers that came before it: interim ones and followed redirects.
    pub earlier: Vec<String>,
    /// What it shows of the request.
    pub request: Request,
    /// What Twilio logged, where the paste is Twilio's own record.
    pub logged: Option<Logged>,
    /// Pieces of the answer that are not there.
    pub missing: Vec<Missing>,
    /// What had to be assumed, one line each.
    pub notes: Vec<String>,
}

impl Paste {
    /// Whether this piece is not there.
    pub fn lacks(&self, piece: Missing) -> bool {
        self.missing.contains(&piece)
    }
}

/// A piece of an answer that a paste may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The status.
    Status,
    /// Every header.
    Headers,
    /// The whole body.
    Body,
    /// The body from some place on.
    RestOfBody,
}

impl Missing {
    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Headers => "headers",
            Self::RestOfBody => "rest-of-body",
            Self::Status => "status",
        }
    }
}

/// A paste may differ from the declared length by this much, besides its line ends: terminals
/// and editors lose trailing blanks and invisible characters.
const LENGTH_SLACK: usize = 8;

/// Reads a paste: `curl -i` or `curl -v` output, a saved answer, a bare body, what `curl` said when
/// it got none, what httpie or PowerShell print, or what Twilio logged. Never fails: whatever is
/// nothing else is a body.
pub fn read(input: &[u8]) -> Paste {
    let mut reading = Reading::default();
    let input = &reading.plain(input)[..];
    let last = terminal::last_run(input);
    if last > 0 {
        reading.notes.push("several runs of curl are here; the last was judged".into());
    }
    let input = input.get(last..).unwrap_or_default();
    if let Some(event) = event::read(input) {
        return reading.of_event(event);
    }
    let request = request::seen(input);
    let (stripped, error) = terminal::strip(input);
    let outcome = match powershell::read(&stripped) {
        Some(listing) => reading.of_listing(&listing),
        None => reading.outcome(&stripped, error.as_ref(), request.method == Some(Method::HEAD)),
    };
    reading.paste(outcome, request, None)
}

#[derive(Default)]
struct Reading {
    earlier: Vec<String>,
    missing: Vec<Missing>,
    notes: Vec<String>,
}

struct Head<'a> {
    line: String,
    status: StatusCode,
    headers: HeaderMap,
    crlf: bool,
    rest: &'a [u8],
}

impl Reading {
    fn paste(self, outcome: Outcome, request: Request, logged: Option<Logged>) -> Paste {
        let Self { earlier, missing, notes } = self;
        Paste { outcome, earlier, request, logged, missing, notes }
    }

    fn lacks(&mut self, piece: Missing, note: impl Into<String>) {
        self.missing.push(piece);
        self.notes.push(note.into());
    }

    /// Windows PowerShell's `>` writes UTF-16; a head in it was never sent so.
    fn plain<'a>(&mut self, input: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(rest) = input.strip_prefix(b"\xff\xfe") else { return Cow::Borrowed(input) };
        let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
        let shown = text.trim_start();
        if !(shown.starts_with("HTTP/")
            || shown.starts_with("StatusCode")
            || shown.starts_with('{'))
        {
            return Cow::Borrowed(input);
        }
        self.notes.push(
            "PowerShell saved this as UTF-16, so the body's own bytes are lost: `curl.exe -si -o FILE` keeps them".into(),
        );
        Cow::Owned(text.into_bytes())
    }

    fn of_event(mut self, event: Event) -> Paste {
        let fetch = match &event.logged.sid {
            Some(sid) => format!(
                "`twilio api:monitor:v1:alerts:fetch --sid {sid} -o json` shows what Twilio kept of it"
            ),
            None => "fetching the single alert shows what Twilio kept of it".to_owned(),
        };
        if event.logged.others > 0 {
            self.notes
                .push(format!("{} more events follow; the first was read", event.logged.others));
        }
        if event.status.is_none() {
            let note = if event.body.is_some() {
                "no status in the event: 200 was assumed"
            } else {
                "no status in the event"
            };
            self.lacks(Missing::Status, note);
        }
        let mut headers = event.headers.unwrap_or_else(|| {
            self.lacks(
                Missing::Headers,
                "no response headers in the event: Content-Type text/xml was assumed",
            );
            [(CONTENT_TYPE, HeaderValue::from_static("text/xml"))].into_iter().collect()
        });
        // The text in the event is what these described.
        for name in [CONTENT_ENCODING, TRANSFER_ENCODING, CONTENT_LENGTH] {
            headers.remove(name);
        }
        if event.body.is_none() {
            self.lacks(Missing::Body, format!("no response body in the event; {fetch}, `curl -si` to the URL what your app answers now"));
        }
        let answer = Answer {
            status: event.status.unwrap_or(StatusCode::OK),
            headers,
            body: event.body.unwrap_or_default(),
            end: BodyEnd::Complete,
            odd: Oddities::default(),
        };
        self.paste(Outcome::Answered(answer), event.request, Some(event.logged))
    }

    fn of_listing(&mut self, listing: &Listing) -> Outcome {
        let outcome = self.outcome(&listing.answer, None, !listing.has_body);
        if listing.cut {
            self.lacks(
                Missing::RestOfBody,
                "PowerShell cut the body: `(Invoke-WebRequest …).RawContent` or `curl.exe -si` shows all of it",
            );
        }
        outcome
    }

    fn outcome(&mut self, input: &[u8], error: Option<&CurlError>, head_alone: bool) -> Outcome {
        if let Some(error) = error {
            self.notes.push(format!("curl ended with ({}) {}", error.code, error.message));
            if input.trim_ascii().is_empty() {
                return Outcome::Failed(failure(error));
            }
        }
        let mut rest = input;
        let mut last: Option<Head<'_>> = None;
        while let Some(head) = self.head(rest) {
            rest = head.rest;
            if let Some(before) = last.replace(head) {
                self.earlier.push(before.line);
            }
        }
        let head = match last {
            Some(head) => head,
            None if input.starts_with(b"HTTP/") => return no_status(input),
            None => self.headless(input),
        };
        self.say_what_redirects_do();
        self.say_what_is_missing(&head, error.is_some(), head_alone);
        Outcome::Answered(self.answer(head, error))
    }

    /// What `curl -L` followed, Twilio meets as well.
    fn say_what_redirects_do(&mut self) {
        let before = |status: u16| {
            self.earlier.iter().any(|line| status_of(line.as_bytes()).is_some_and(|s| s == status))
        };
        let note = if before(301) || before(302) {
            "a redirect came first: after 301 and 302 Twilio asks with GET, without the form's fields"
        } else if before(308) {
            "a redirect came first: Twilio does not follow a 308 (11216)"
        } else {
            return;
        };
        self.notes.push(note.to_owned());
    }

    fn say_what_is_missing(&mut self, head: &Head<'_>, is_cut: bool, head_alone: bool) {
        if head.headers.is_empty() {
            self.lacks(
                Missing::Headers,
                "no header at all: if they were left out here, what is said of Content-Type does not hold",
            );
        }
        let is_empty = head.rest.trim_ascii().is_empty();
        let promised = declared_length(&head.headers).is_some_and(|length| length > 0);
        if is_empty && !is_cut && (head_alone || promised) {
            let why =
                if head_alone { "only the head was asked for" } else { "the head promises one" };
            self.lacks(
                Missing::Body,
                format!(
                    "no body here, though {why}: `curl -si -X POST URL` shows it (`-I` does not)"
                ),
            );
        }
    }

    /// A head that begins with a status line.
    fn head<'a>(&mut self, input: &'a [u8]) -> Option<Head<'a>> {
        let first = input.split_inclusive(|&byte| byte == b'\n').next()?;
        let line = without_escapes(bare(first));
        let status = status_of(&line)?;
        let (headers, rest) = self.headers(input.get(first.len()..).unwrap_or_default());
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        Some(Head { line, status, headers, crlf: first.ends_with(b"\r\n"), rest })
    }

    fn headers<'a>(&mut self, input: &'a [u8]) -> (HeaderMap, &'a [u8]) {
        let mut headers = HeaderMap::new();
        let mut last: Option<(HeaderName, Vec<u8>)> = None;
        let mut used = 0;
        for raw in lines(input).take(MAX_HEAD_LINES) {
            let line = without_escapes(bare(raw));
            if line.is_empty() {
                used += raw.len();
                break;
            }
            if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) && last.is_some() {
                if let Some((_, value)) = &mut last {
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
            } else if let Some(pair) = header_of(&line) {
                self.keep(&mut headers, last.replace(pair));
            } else if line.trim_ascii_start().starts_with(b"<") {
                self.notes.push("no blank line between headers and body: one was assumed".into());
                break;
            } else {
                self.notes.push(format!(
                    "this line of the head is no header and was passed over: {}",
                    String::from_utf8_lossy(&line)
                ));
            }
            used += raw.len();
        }
        self.keep(&mut headers, last);
        (headers, input.get(used..).unwrap_or_default())
    }

    fn keep(&mut self, headers: &mut HeaderMap, pair: Option<(HeaderName, Vec<u8>)>) {
        let Some((name, value)) = pair else { return };
        match HeaderValue::from_bytes(&value) {
            Ok(value) => {
                headers.append(name, value);
            }
            Err(_) => self.notes.push(format!(
                "header `{name}` holds control characters: Twilio refuses such an answer (11206)"
            )),
        }
    }

    /// Headers without a status line, or a bare body.
    fn headless<'a>(&mut self, input: &'a [u8]) -> Head<'a> {
        let line = "HTTP/1.1 200 OK".to_owned();
        let crlf = lines(input).next().is_some_and(|line| line.ends_with(b"\r\n"));
        if has_bare_headers(input) {
            self.lacks(Missing::Status, "no status line: 200 was assumed");
            let (headers, rest) = self.headers(input);
            return Head { line, status: StatusCode::OK, headers, crlf, rest };
        }
        self.missing.push(Missing::Status);
        self.lacks(
            Missing::Headers,
            "no head: status 200 and Content-Type text/xml were assumed; `curl -i` shows it",
        );
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("text/xml"))].into_iter().collect();
        Head { line, status: StatusCode::OK, headers, crlf: true, rest: input }
    }

    fn answer(&mut self, head: Head<'_>, error: Option<&CurlError>) -> Answer {
        let mut body = dechunk(&head.headers, head.rest).unwrap_or_else(|| head.rest.to_vec());
        let mut end = BodyEnd::Complete;
        if let Some(declared) = declared_length(&head.headers) {
            let absent = self.missing.contains(&Missing::Body);
            let lost = if absent { 0 } else { declared.saturating_sub(body.len()) };
            let line_ends = if head.crlf { 0 } else { memchr::memchr_iter(b'\n', &body).count() };
            if lost > LENGTH_SLACK + line_ends {
                end = BodyEnd::Truncated {
                    detail: format!("Content-Length says {declared}, {} came", body.len()),
                };
            } else if head.crlf && body.len() > declared + LENGTH_SLACK {
                self.notes.push(format!(
                    "Content-Length says {declared}: Twilio reads no further, {} bytes more are there",
                    body.len() - declared
                ));
                body.truncate(declared);
            }
        }
        if let Some(error) = error.filter(|error| matches!(error.code, 18 | 28 | 56 | 92)) {
            end = if error.code == 28 {
                BodyEnd::TooLate
            } else {
                BodyEnd::Truncated { detail: error.message.clone() }
            };
        }
        if head.headers.contains_key(CONTENT_ENCODING) {
            if body.windows(3).any(|window| window == "\u{fffd}".as_bytes()) {
                self.notes.push(
                    "the body went through a terminal, which destroys compressed bytes: save it with `curl -i -o FILE`"
                        .into(),
                );
            } else if body.trim_ascii_start().starts_with(b"<") {
                self.notes.push(
                    "with `curl --compressed` the header stays but the body shown is decoded: leave that option out"
                        .into(),
                );
            }
        }
        Answer {
            status: head.status,
            headers: head.headers,
            body: Bytes::from(body),
            end,
            odd: Oddities::default(),
        }
    }
}

/// `HTTP/` with something else than a status behind it.
fn no_status(input: &[u8]) -> Outcome {
    let first = bare(lines(input).next().unwrap_or_default());
    Outcome::Failed(Failure::NotHttp {
        received: Bytes::copy_from_slice(first),
        detail: "expected `HTTP/1.1` and a status of three digits".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(input: &str) -> (Answer, Paste) {
        let paste = read(input.as_bytes());
        match paste.outcome.clone() {
            Outcome::Answered(answer) => (answer, paste),
            Outcome::Failed(failure) => panic!("{failure:?}"),
        }
    }

    fn failed(input: &str) -> Failure {
        match read(input.as_bytes()).outcome {
            Outcome::Failed(failure) => failure,
            Outcome::Answered(answer) => panic!("{answer:?}"),
        }
    }

    #[test]
    fn a_plain_answer_is_read_with_either_line_end() {
        for end in ["\r\n", "\n"] {
            let text =
                ["HTTP/1.1 404 NOT FOUND", "Content-Type: text/html", "", "<p>x</p>"].join(end);
            let (answer, paste) = answered(&text);
            assert_eq!(answer.status, 404);
            assert_eq!(answer.headers["content-type"], "text/html");
            assert_eq!(answer.body, "<p>x</p>");
            assert!(paste.notes.is_empty(), "{:?}", paste.notes);
        }
    }

    #[test]
    fn http_2_has_no_reason() {
        assert_eq!(answered("HTTP/2 503 \ncontent-type: text/html\n\nx").0.status, 503);
    }

    #[test]
    fn the_last_of_several_answers_counts() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<Response/>";
        let (answer, paste) = answered(text);
        assert_eq!(answer.body, "<Response/>");
        assert_eq!(paste.earlier, ["HTTP/1.1 100 Continue", "HTTP/1.1 301 Moved"]);
    }

    #[test]
    fn headers_alone_and_bare_bodies_are_assumed_to_be_200() {
        let (answer, paste) = answered("Content-Type: application/json\n\n{}");
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"{}"[..]));
        assert_eq!(paste.notes.len(), 1);
        let (answer, _) = answered("\n<Response/>");
        assert_eq!(answer.headers["content-type"], "text/xml");
        assert_eq!(answer.body, "\n<Response/>");
    }

    #[test]
    fn prose_with_a_colon_is_a_body() {
        assert_eq!(answered("Error: no database\n\nsorry").0.body, "Error: no database\n\nsorry");
    }

    #[test]
    fn a_lost_blank_line_is_assumed() {
        let (answer, paste) = answered("HTTP/1.1 200 OK\nContent-Type: text/xml\n<Response/>");
        assert_eq!(answer.body, "<Response/>");
        assert_eq!(paste.notes.len(), 1);
    }

    #[test]
    fn only_a_clearly_shorter_body_is_cut() {
        let cut = |length: usize| {
            answered(&format!(
                "HTTP/1.1 200 OK\nContent-Length: {length}\n\n<Response>\n\n</Response>"
            ))
            .0
            .end != BodyEnd::Complete
        };
        assert!(!cut(23), "exact");
        assert!(!cut(23 + 2 + 8), "CRLF became LF and trailing blanks were lost");
        assert!(cut(23 + 2 + 9));
        assert!(!cut(5), "more than declared may be the terminal's doing");
    }

    #[test]
    fn a_byte_exact_save_ends_where_content_length_says() {
        let (answer, paste) =
            answered("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n<Response/><br>debug</br>");
        assert_eq!(answer.body, "<Response/>");
        assert_eq!(paste.notes.len(), 1);
    }

    #[test]
    fn chunks_of_a_raw_save_are_joined() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let (raw, _) = answered(&format!("{head}5\r\n<Resp\r\n6\r\nonse/>\r\n0\r\n\r\n"));
        assert_eq!(raw.body, "<Response/>");
        assert_eq!(answered(&format!("{head}<Response/>")).0.body, "<Response/>");
    }

    #[test]
    fn what_curl_says_of_a_failure_is_understood() {
        assert_eq!(
            failed(
                "curl: (7) Failed to connect to localhost port 5000 after 0 ms: Couldn't connect to server\n"
            ),
            Failure::Refused { address: "localhost:5000".into() }
        );
        assert!(matches!(
            failed("curl: (52) Empty reply from server"),
            Failure::ClosedEarly { .. }
        ));
        assert_eq!(failed("curl: (56) Recv failure: Connection reset by peer"), Failure::Reset);
        assert_eq!(
            failed("curl: (28) Operation timed out after 15001 milliseconds with 0 bytes received"),
            Failure::HeadersTooLate
        );
        assert!(matches!(
            failed("curl: (1) Received HTTP/0.9 when not allowed"),
            Failure::NotHttp { .. }
        ));
        assert!(matches!(
            failed("curl: (6) Could not resolve host: pbx.invalid"),
            Failure::Unreachable { address, .. } if address == "pbx.invalid"
        ));
    }

    #[test]
    fn an_answer_that_curl_saw_cut_is_cut() {
        let (answer, _) = answered(
            "HTTP/1.1 200 OK\nContent-Length: 20\n\n<Response>\ncurl: (18) transfer closed\n",
        );
        assert!(matches!(answer.end, BodyEnd::Truncated { .. }));
    }

    #[test]
    fn a_status_line_without_status_is_not_http() {
        assert!(matches!(failed("HTTP/1.1 OK\n\n"), Failure::NotHttp { .. }));
    }

    #[test]
    fn any_bytes_are_read() {
        for seed in 0..2_000u32 {
            let parts: [&[u8]; 8] =
                [b"HTTP/1.1 ", b"200", b"\r\n", b"\n", b": ", b"\xff\x00", b"< ", b"curl: ("];
            let mut input = Vec::new();
            let mut state = seed.wrapping_mul(2_654_435_761).max(1);
            for _ in 0..(seed % 12) {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                input.extend_from_slice(parts[state as usize % parts.len()]);
            }
            let _ = read(&input);
        }
    }
}
