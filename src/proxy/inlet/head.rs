//! The strict reader of a request's head.
//!
//! It takes what every HTTP/1 reader understands in the same way and refuses the rest; it repairs
//! nothing. Pure: bytes in, a verdict out, and the same one however the bytes are cut.

use memchr::memchr;

use super::super::headers;
use super::fault::{Fault, Reason, bad, syntax};
use super::layout::{Layout, Part, USUAL_FIELDS};
use super::octets::{is_token, no_control};
use super::target;

/// Empty lines that may stand before a request (RFC 9112, section 2.2), in bytes.
const EMPTY_LINES: usize = 4;

/// Longest header name.
const LONGEST_NAME: usize = 1024;

/// A TLS connection's first byte.
const TLS_HANDSHAKE: u8 = 0x16;

/// Most digits of a length: what fits all integers that readers use.
const DIGITS: usize = 18;

const BOTH: Fault = bad(
    Reason::Framing,
    "Transfer-Encoding and Content-Length exclude each other; send one of them",
);
const CODING: Fault =
    bad(Reason::Framing, "expected Transfer-Encoding: chunked once or none, found another");
const LENGTH: Fault = bad(Reason::Framing, "expected one Content-Length of digits only");

/// The most that a head may have.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes from the method to the empty line.
    pub bytes: usize,
    /// Header lines.
    pub lines: usize,
}

/// How a body's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// A head that is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its bytes, empty lines ahead of it and its own included.
    pub len: usize,
    /// How its body's end is found.
    pub framing: Framing,
    /// Whether it is a proper WebSocket handshake (RFC 6455, section 4.1). Nothing else may switch
    /// protocols: an `h2c` tunnel would lead past every check.
    pub is_websocket: bool,
}

/// What the bytes so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The beginning of a head.
    Partial,
    /// A whole head.
    Complete(Head),
    /// No head.
    Refused(Fault),
}

/// Reads one head whose bytes may come in pieces; what was looked at is not looked at again.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// Where the line begins that is not over yet.
    line: usize,
    /// Bytes in which no line's end and no control character was found.
    seen: usize,
    /// What the request line says, once it is read.
    begun: Option<Begun>,
    /// Where the target's authority is.
    authority: Option<(usize, usize)>,
    host: Option<(usize, usize)>,
    length: Option<u64>,
    is_chunked: bool,
    upgrade: Upgrade,
    layout: Layout,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    is_get: bool,
    /// HTTP/1.0.
    is_old: bool,
}

/// What a WebSocket handshake is recognised by.
#[derive(Debug, Clone, Default)]
struct Upgrade {
    protocols: usize,
    is_websocket: bool,
    is_connection: bool,
    versions: usize,
    is_13: bool,
    keys: usize,
    empty_keys: usize,
}

impl Reader {
    /// Reads on. `bytes`: the head from its first byte, each time with more behind.
    pub fn read(&mut self, bytes: &[u8], limits: Limits) -> Verdict {
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            return Verdict::Refused(syntax("expected HTTP, found TLS; use http:// or set [tls]"));
        }
        let view = bytes.get(..limits.bytes).unwrap_or(bytes);
        match self.lines(view, limits) {
            Ok(Some(head)) => Verdict::Complete(head),
            Ok(None) if view.len() == bytes.len() => Verdict::Partial,
            Ok(None) => Verdict::Refused(self.too_large()),
            Err(fault) => Verdict::Refused(fault),
        }
    }

    /// Where the parts stand of a head that is complete.
    pub(super) fn into_layout(self) -> Layout {
        self.layout
    }

    fn too_large(&self) -> Fault {
        if self.begun.is_some() {
            let why = "the head is larger than max_head allows";
            Fault { status: 431, reason: Reason::TooLarge, why }
        } else {
            let why = "the request line is larger than max_head allows";
            Fault { status: 414, reason: Reason::TooLarge, why }
        }
    }

    fn lines(&mut self, view: &[u8], limits: Limits) -> Result<Option<Head>, Fault> {
        while let Some(end) = self.line_end(view)? {
            let start = std::mem::replace(&mut self.line, end + 2);
            self.seen = self.line;
            let line = view.get(start..end).unwrap_or_default();
            if self.begun.is_none() {
                if line.is_empty() && start < EMPTY_LINES {
                    continue;
                }
                self.begun = Some(self.request_line(line, start)?);
            } else if line.is_empty() {
                return self.end(view).map(Some);
            } else {
                if self.layout.fields.len() >= limits.lines {
                    let why = "the head has more lines than max_headers allows";
                    return Err(Fault { status: 431, reason: Reason::TooLarge, why });
                }
                self.field(line, start)?;
            }
        }
        Ok(None)
    }

    /// Where the line's CRLF stands, once it is there; refuses every other control character.
    fn line_end(&mut self, view: &[u8]) -> Result<Option<usize>, Fault> {
        let fresh = view.get(self.seen..).unwrap_or_default();
        let (content, end) = match memchr(b'\n', fresh) {
            Some(at) => {
                let content = fresh.get(..at).unwrap_or_default();
                let Some(line) = content.strip_suffix(b"\r") else {
                    no_control(content)?;
                    return Err(syntax("a line ends without a carriage return"));
                };
                (line, Some(self.seen + at - 1))
            }
            None => (fresh.strip_suffix(b"\r").unwrap_or(fresh), None),
        };
        no_control(content)?;
        self.seen += content.len();
        Ok(end)
    }

    fn request_line(&mut self, line: &[u8], start: usize) -> Result<Begun, Fault> {
        const LINE: Fault = syntax("expected a request line: method, target and version");
        let method_end = memchr(b' ', line).ok_or(LINE)?;
        let (method, rest) = (&line[..method_end], &line[method_end + 1..]);
        if !is_token(method) {
            return Err(LINE);
        }
        if matches!(method, b"CONNECT" | b"TRACE") {
            let why = "this method is not served here";
            return Err(Fault { status: 501, reason: Reason::Method, why });
        }
        let target_end = memchr::memrchr(b' ', rest).ok_or(LINE)?;
        let (target, version) = (&rest[..target_end], &rest[target_end + 1..]);
        let is_old = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', ..] => {
                let why = "expected HTTP/1.1 or HTTP/1.0, found another version";
                return Err(Fault { status: 505, reason: Reason::Version, why });
            }
            _ => return Err(LINE),
        };
        let from = start + method_end + 1;
        self.layout = Layout {
            method: Part::new(start, method.len()),
            target: Part::new(from, target.len()),
            is_old,
            fields: Vec::with_capacity(USUAL_FIELDS),
        };
        self.authority = target::check(method, target)?
            .map(|authority| (from + authority.start, from + authority.end));
        Ok(Begun { is_get: method == b"GET", is_old })
    }

    fn is_old(&self) -> bool {
        self.begun.is_some_and(|begun| begun.is_old)
    }

    fn field(&mut self, line: &[u8], start: usize) -> Result<(), Fault> {
        let (name, value, at) = field(line)?;
        let from = start + at;
        self.layout.fields.push((Part::new(start, name.len()), Part::new(from, value.len())));
        let word = |expected: &[u8]| value.eq_ignore_ascii_case(expected);
        match Acted::of(name) {
            Acted::ContentLength => {
                if self.is_chunked {
                    return Err(BOTH);
                }
                if self.length.replace(length(value)?).is_some() {
                    return Err(LENGTH);
                }
            }
            Acted::TransferEncoding => {
                if self.length.is_some() {
                    return Err(BOTH);
                }
                if self.is_old() {
                    let why = "Transfer-Encoding does not exist in HTTP/1.0";
                    return Err(bad(Reason::Framing, why));
                }
                if std::mem::replace(&mut self.is_chunked, true) || !word(b"chunked") {
                    return Err(CODING);
                }
            }
            Acted::Host => {
                // An empty one is legal where the target has no authority.
                if !value.is_empty() && !target::is_host(value) {
                    let why = "the Host header is no host name with an optional port";
                    return Err(bad(Reason::Host, why));
                }
                if self.host.replace((from, from + value.len())).is_some() {
                    let why = "expected one Host header, found several";
                    return Err(bad(Reason::Host, why));
                }
            }
            Acted::Upgrade => {
                self.upgrade.protocols += value.split(|&b| b == b',').count();
                self.upgrade.is_websocket |= word(b"websocket");
            }
            Acted::Connection => {
                self.upgrade.is_connection |= value
                    .split(|&b| b == b',')
                    .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
            }
            Acted::WebSocketVersion => {
                self.upgrade.versions += 1;
                self.upgrade.is_13 |= value == b"13";
            }
            Acted::WebSocketKey => {
                self.upgrade.keys += 1;
                self.upgrade.empty_keys += usize::from(value.is_empty());
            }
            Acted::Other => {
                if memchr(b'_', name).is_some() && headers::is_alias(name) {
                    let why = "a header name has underscores and is read as another one by some; write it with hyphens";
                    return Err(bad(Reason::Alias, why));
                }
            }
        }
        Ok(())
    }

    fn end(&self, view: &[u8]) -> Result<Head, Fault> {
        let at = |(from, to): (usize, usize)| view.get(from..to).unwrap_or_default();
        match (self.host, self.authority) {
            (None, _) if !self.is_old() => {
                return Err(bad(Reason::Host, "expected a Host header, found none"));
            }
            (Some(host), Some(authority)) if !at(host).eq_ignore_ascii_case(at(authority)) => {
                let why = "the target names another host than the Host header";
                return Err(bad(Reason::Host, why));
            }
            _ => {}
        }
        let framing = match self.length {
            _ if self.is_chunked => Framing::Chunked,
            Some(length) if length > 0 => Framing::Length(length),
            _ => Framing::None,
        };
        let is_websocket = self.begun.is_some_and(|begun| begun.is_get && !begun.is_old)
            && framing == Framing::None
            && self.upgrade.is_handshake();
        Ok(Head { len: self.line, framing, is_websocket })
    }
}

impl Upgrade {
    fn is_handshake(&self) -> bool {
        self.is_connection
            && (self.protocols, self.is_websocket) == (1, true)
            && (self.versions, self.is_13) == (1, true)
            && (self.keys, self.empty_keys) == (1, 0)
    }
}

/// Header names that the reader itself acts on.
enum Acted {
    Connection,
    ContentLength,
    Host,
    TransferEncoding,
    Upgrade,
    WebSocketKey,
    WebSocketVersion,
    Other,
}

impl Acted {
    fn of(name: &[u8]) -> Self {
        let is = |expected: &str| name.eq_ignore_ascii_case(expected.as_bytes());
        match name.len() {
            4 if is("host") => Self::Host,
            7 if is("upgrade") => Self::Upgrade,
            10 if is("connection") => Self::Connection,
            14 if is("content-length") => Self::ContentLength,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            17 if is("sec-websocket-key") => Self::WebSocketKey,
            21 if is("sec-websocket-version") => Self::WebSocketVersion,
            _ => Self::Other,
        }
    }
}

/// A header line's name and value, and where in the line the value begins.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8], usize), Fault> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(syntax("a header goes on in a second line; write it in one"));
    }
    let colon = memchr(b':', line).ok_or(syntax("a header line has no colon"))?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
    if name.is_empty() {
        return Err(syntax("a header has no name"));
    }
    if matches!(name.last(), Some(b' ' | b'\t')) {
        return Err(syntax("a header has a blank before its colon"));
    }
    if name.len() > LONGEST_NAME {
        let why = "a header's name is longer than 1 KiB";
        return Err(Fault { status: 431, reason: Reason::TooLarge, why });
    }
    if !is_token(name) {
        return Err(syntax("a header's name has characters that no name may have"));
    }
    Ok((name, value.trim_ascii_end(), line.len() - value.len()))
}

fn length(value: &[u8]) -> Result<u64, Fault> {
    if !(1..=DIGITS).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return Err(LENGTH);
    }
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { bytes: 64 * 1024, lines: 100 };

    fn read(bytes: impl AsRef<[u8]>) -> Verdict {
        Reader::default().read(bytes.as_ref(), LIMITS)
    }

    fn complete(bytes: impl AsRef<[u8]>) -> Head {
        let bytes = bytes.as_ref();
        match read(bytes) {
            Verdict::Complete(head) => head,
            other => panic!("{other:?}: {}", bytes.escape_ascii()),
        }
    }

    fn refused(bytes: impl AsRef<[u8]>) -> Fault {
        let bytes = bytes.as_ref();
        match read(bytes) {
            Verdict::Refused(fault) => fault,
            other => panic!("{other:?}: {}", bytes.escape_ascii()),
        }
    }

    /// A post whose head has these lines besides.
    fn with(lines: impl AsRef<[u8]>) -> Vec<u8> {
        [b"POST /voice HTTP/1.1\r\nHost: a\r\n", lines.as_ref(), b"\r\n\r\n"].concat()
    }

    fn begun(line: &str) -> String {
        format!("{line}\r\nHost: a\r\n\r\n")
    }

    #[track_caller]
    fn refuses(reason: Reason, lines: &[&str]) {
        for line in lines {
            let fault = refused(with(line));
            assert_eq!((fault.reason, fault.status), (reason, 400), "{line:?}: {}", fault.why);
        }
    }

    #[test]
    fn what_clients_in_use_send_is_taken() {
        let twilio = "POST /voice?a=b HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\nI-Twilio-Idempotency-Token: 0a1b\r\nContent-Length: 7\r\nX-Twilio-Signature: aGk=\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nHost: pbx.example.com\r\nConnection: close\r\nX-Home-Region: us1\r\n\r\nabcdefg";
        let head = complete(twilio);
        assert_eq!((head.len, head.framing), (twilio.len() - 7, Framing::Length(7)));
        let curl = "GET /a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n";
        let none = Head { len: curl.len(), framing: Framing::None, is_websocket: false };
        assert_eq!(complete(curl), none);
        for lines in [
            "X-Empty:",
            "X-Empty: \t ",
            "X-Name:value",
            "X-Name: \tvalue\t ",
            "!#$%&'*+-.^_`|~: odd",
            "my_own: 1",
            "Cookie: a=\"b\"; c",
            "X-Tab: a\tb",
            "Content-Length: 0",
            "Expect: 100-continue",
            "Accept: a\r\nAccept: b",
            "Upgrade-Insecure-Requests: 1",
            "Connection: keep-alive, upgrade",
        ] {
            assert_eq!(complete(with(lines)).framing, Framing::None, "{lines}");
        }
        complete(with(b"X-Latin: caf\xe9 \xff\x80"));
        assert_eq!(complete(with("transfer-encoding:\tCHUNKED ")).framing, Framing::Chunked);
        assert_eq!(complete(with("Content-Length: 0012")).framing, Framing::Length(12));
        complete("GET / HTTP/1.0\r\n\r\n");
        complete("GET / HTTP/1.1\r\nHost:\r\n\r\n");
        complete(begun("OPTIONS * HTTP/1.1"));
        complete(begun("get /lower HTTP/1.1"));
        complete(begun("PROPFIND / HTTP/1.1"));
        complete("GET HTTP://A:80/x HTTP/1.1\r\nHost: \t a:80 \r\n\r\n");
        assert_eq!(complete(format!("\r\n\r\n{curl}")).len, curl.len() + 4);
    }

    #[test]
    fn a_length_is_told_once_and_in_digits() {
        refuses(
            Reason::Framing,
            &[
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked\r\nContent-Length: 5",
                "Content-Length: 5\r\nContent-Length: 5",
                "Content-Length: 5\r\nContent-Length: 6",
                "Content-Length: 5, 5",
                "Content-Length: 5 5",
                "Content-Length: -5",
                "Content-Length: 0x5",
                "Content-Length: 5a",
                "Content-Length: 5.0",
                "Content-Length: 5;",
                "Content-Length: \"5\"",
                "Content-Length: 1_0",
                "Content-Length: \u{665}",
                "Content-Length: 99999999999999999999",
                "Content-Length: 18446744073709551617",
                "Content-Length: 1000000000000000000",
            ],
        );
    }

    #[test]
    fn a_disguised_transfer_coding_is_refused() {
        refuses(
            Reason::Framing,
            &[
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
                "Transfer-Encoding: chunked, chunked",
                "Transfer-Encoding: ,chunked",
                "Transfer-Encoding: chunked,",
                "Transfer-Encoding: gzip, chunked",
                "Transfer-Encoding: identity",
                "Transfer-Encoding: xchunked",
                "Transfer-Encoding: \"chunked\"",
                "Transfer-Encoding: chunked;q=1",
                "Transfer-Encoding: chunked\u{a0}",
                "Transfer-Encoding:",
            ],
        );
        refuses(
            Reason::Syntax,
            &[
                "Transfer-Encoding : chunked",
                "Transfer-Encoding\t: chunked",
                " Transfer-Encoding: chunked",
                "X: y\r\n Transfer-Encoding: chunked",
                "X: y\nTransfer-Encoding: chunked",
                "X: y\rTransfer-Encoding: chunked",
                "Transfer-Encoding: \u{b}chunked",
                "Transfer-Encoding: chunked\0",
                "Transfer\0-Encoding: chunked",
                "Transfer-\u{212a}: chunked",
                "\u{feff}Transfer-Encoding: chunked",
                "(Transfer-Encoding): chunked",
            ],
        );
    }

    #[test]
    fn lines_that_readers_take_differently_are_refused() {
        refuses(
            Reason::Syntax,
            &[
                "no colon",
                ": no name",
                "a b: c",
                "a\u{7f}b: c",
                "X: a\u{7f}",
                "X: a\u{8}",
                "X: \u{1b}[0m",
            ],
        );
        for head in [
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\rHost: a\r\r",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\n",
            "GET\r\n",
            "GET / HTTP/1.1 \r\n",
            "GET / http/1.1\r\n",
            "GET / HTTP/x\r\n",
            "GET /\tHTTP/1.1\r\n",
            "G@T / HTTP/1.1\r\n",
            "\u{16}\u{3}\u{1}",
            "\0",
        ] {
            assert_eq!(refused(head).status, 400, "{head:?}");
        }
    }

    #[test]
    fn a_host_is_needed_once_and_agrees_with_the_target() {
        let host = |line: &str, lines: &str| refused(format!("{line}\r\n{lines}\r\n\r\n")).reason;
        for lines in
            ["X: y", "Host: a\r\nhost: a", "Host: a b", "Host: a/x", "Host: u@a", "Host: a, b"]
        {
            assert_eq!(host("GET / HTTP/1.1", lines), Reason::Host, "{lines}");
        }
        assert_eq!(host("GET / HTTP/1.0", "Host: a\r\nHost: b"), Reason::Host);
        assert_eq!(host("GET http://b/ HTTP/1.1", "Host: a"), Reason::Host);
        assert_eq!(host("GET http://a:80/ HTTP/1.1", "Host: a"), Reason::Host);
        assert_eq!(host("GET http://a/ HTTP/1.1", "Host:"), Reason::Host);
        for target in ["http://u@a/", "a:80", "*", "/#x", "ftp://a/", "/a b", "\\x"] {
            assert_eq!(
                host(&format!("GET {target} HTTP/1.1"), "Host: a"),
                Reason::Target,
                "{target}"
            );
        }
    }

    #[test]
    fn methods_and_versions_that_are_not_served() {
        for method in ["CONNECT a:80", "TRACE /"] {
            assert_eq!(refused(begun(&format!("{method} HTTP/1.1"))).status, 501);
        }
        for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/1.10", "HTTP/3"] {
            assert_eq!(refused(begun(&format!("GET / {version}"))).status, 505, "{version}");
        }
        assert_eq!(refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status, 505);
    }

    #[test]
    fn sizes_are_bounded() {
        let head = |bytes: usize| with(format!("X: {}", "x".repeat(bytes - with("X: ").len())));
        assert_eq!(complete(head(LIMITS.bytes)).len, LIMITS.bytes);
        assert_eq!(refused(head(LIMITS.bytes + 1)).status, 431);
        assert_eq!(read(&head(LIMITS.bytes + 9)[..LIMITS.bytes]), Verdict::Partial);
        let lines = |count: usize| with("X: y\r\n".repeat(count).trim_end());
        complete(lines(99));
        assert_eq!(refused(lines(100)).status, 431);
        assert_eq!(refused(begun(&format!("GET /{} HTTP/1.1", "a".repeat(33_000)))).status, 414);
        assert_eq!(refused(format!("GET /{}", "a".repeat(70_000))).status, 414);
        assert_eq!(refused(with(format!("{}: y", "x".repeat(1025)))).status, 431);
    }

    #[test]
    fn only_a_proper_handshake_may_switch() {
        const LINES: [&str; 4] = [
            "Upgrade: WebSocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let handshake = |request: &str, lines: &[&str]| {
            complete(format!("{request}\r\nHost: a\r\n{}\r\n\r\n", lines.join("\r\n"))).is_websocket
        };
        assert!(handshake("GET /ws HTTP/1.1", &LINES));
        assert!(!handshake("POST /ws HTTP/1.1", &LINES) && !handshake("GET /ws HTTP/1.0", &LINES));
        for (at, line) in [
            (0, "Upgrade: h2c"),
            (0, "Upgrade: websocket, h2c"),
            (0, "Upgrade: websocket\r\nUpgrade: h2c"),
            (1, "Connection: keep-alive"),
            (2, "Sec-WebSocket-Version: 8"),
            (2, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13"),
            (3, "X-Key: none"),
            (3, "Sec-WebSocket-Key:"),
            (3, "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: b"),
            (3, "Sec-WebSocket-Key: a\r\nContent-Length: 5"),
            (3, "Sec-WebSocket-Key: a\r\nTransfer-Encoding: chunked"),
        ] {
            let mut lines = LINES;
            lines[at] = line;
            assert!(!handshake("GET /ws HTTP/1.1", &lines), "{line}");
        }
    }

    #[test]
    fn cve_2026_2835_http_1_0_has_no_transfer_coding() {
        let head = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refused(head).reason, Reason::Framing);
    }

    #[test]
    fn cve_2021_32715_a_length_has_no_plus_sign() {
        refuses(Reason::Framing, &["Content-Length: +5"]);
    }

    #[test]
    fn hyper_4123_a_length_ahead_of_chunks_is_not_kept() {
        refuses(Reason::Framing, &["Content-Length: 5\r\nTransfer-Encoding: chunked"]);
    }

    #[test]
    fn cve_2023_40225_a_length_is_not_empty() {
        refuses(Reason::Framing, &["Content-Length:", "Content-Length: \t", "Content-Length: ,"]);
    }

    #[test]
    fn cve_2021_40346_a_long_name_hides_no_length() {
        let name = format!("Content-Length0{}:", "a".repeat(255));
        assert_eq!(
            complete(with(format!("{name}\r\nContent-Length: 5"))).framing,
            Framing::Length(5)
        );
        refuses(Reason::Framing, &[&format!("{name} 1\r\nContent-Length: 5\r\nContent-Length: 6")]);
    }

    #[test]
    fn cve_2023_25725_an_empty_name_does_not_end_the_head() {
        refuses(Reason::Syntax, &[": x\r\nContent-Length: 5", ":\r\nTransfer-Encoding: chunked"]);
    }

    #[test]
    fn cve_2026_39858_underscore_aliases_are_refused() {
        refuses(
            Reason::Alias,
            &[
                "X_Forwarded_Proto: https",
                "content_length: 5",
                "Transfer_Encoding: chunked",
                "x-twilio_signature: a",
            ],
        );
    }

    /// Lines and pieces of them from which heads are put together, good ones and bad ones.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec()),
            2 => Just(b"POST http://a/x HTTP/1.1\r\nHost: a\r\n".to_vec()),
            2 => Just(b"Content-Length: 3\r\n".to_vec()),
            2 => Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            4 => Just(b"X: y\r\n".to_vec()),
            4 => Just(b"\r\n".to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 1..4),
            1 => "[ -~\r\n\t]{1,6}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_verdict(
            bytes in pieces(), step in 1_usize..9, limit in 8_usize..90
        ) {
            for limits in [LIMITS, Limits { bytes: limit, lines: 2 }] {
                let whole = Reader::default().read(&bytes, limits);
                let mut reader = Reader::default();
                let mut verdict = Verdict::Partial;
                let ends = (1..).map(|n| n * step).take_while(|&end| end < bytes.len());
                for end in ends.chain([bytes.len()]) {
                    verdict = reader.read(&bytes[..end], limits);
                    if verdict != Verdict::Partial {
                        break;
                    }
                }
                prop_assert_eq!(verdict, whole);
            }
        }
    }
}
