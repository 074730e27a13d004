//! Answers written down as text: status line, headers, blank line, body.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use twiml_guard::guard::head::{self, Reading};
use twiml_guard::guard::{Answer, BodyEnd, Oddities};

/// Reads a head (LF or CRLF) and leaves the rest as the body.
pub fn parse(raw: &[u8]) -> Result<Answer, String> {
    let (head, body) = split(raw).ok_or("expected a blank line behind the headers")?;
    let head = std::str::from_utf8(head).map_err(|error| error.to_string())?;
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok())
        .ok_or("expected a status line first")?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(format!("no header: {line}"))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|error| format!("{line}: {error}"))?;
        let value = unescape(value.trim());
        let value = HeaderValue::from_bytes(&value).map_err(|error| format!("{line}: {error}"))?;
        headers.append(name, value);
    }
    let body = Bytes::copy_from_slice(body);
    Ok(Answer { status, headers, body, end: BodyEnd::Complete, odd: Oddities::default() })
}

/// Reads a head with escapes, as the guard reads what its HTTP reader refuses.
pub fn raw(head: &str) -> Result<Answer, String> {
    let mut bytes: Vec<u8> = head.lines().map(unescape).collect::<Vec<_>>().join(&b"\r\n"[..]);
    bytes.extend_from_slice(b"\r\n\r\n");
    let Reading::Head(read) = head::read(&bytes) else {
        return Err("raw-head: no status can be read".to_owned());
    };
    let mut headers = HeaderMap::new();
    for header in read.headers.iter().filter(|header| !header.is_doubted) {
        let name = HeaderName::from_bytes(&bytes[header.name.clone()]);
        let value = HeaderValue::from_bytes(&header.joined(&bytes));
        headers.append(name.map_err(|e| e.to_string())?, value.map_err(|e| e.to_string())?);
    }
    let (body, end) = (Bytes::new(), BodyEnd::Complete);
    Ok(Answer { status: read.status, headers, body, end, odd: read.odd })
}

/// One of `tests/data/pages`.
pub fn page(name: &str) -> Answer {
    let raw = std::fs::read(pages().join(format!("{name}.http"))).unwrap();
    parse(&raw).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// The folder of captured pages.
pub fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pages")
}

fn split(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = |mark: &[u8]| raw.windows(mark.len()).position(|window| window == mark);
    let (end, len) = match (at(b"\r\n\r\n"), at(b"\n\n")) {
        (Some(crlf), Some(lf)) if lf < crlf => (lf, 2),
        (Some(crlf), _) => (crlf, 4),
        (None, Some(lf)) => (lf, 2),
        (None, None) => return None,
    };
    Some((&raw[..end], &raw[end + len..]))
}

/// `\xNN`, `\u{N}`, `\r`, `\n`, `\t`, `\0` and `\\` to bytes.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let mut taken = 1;
        match rest.chars().next() {
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('0') => bytes.push(0),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let hex = rest.get(1..3).expect("two hex digits behind \\x");
                bytes.push(u8::from_str_radix(hex, 16).expect("hex digits behind \\x"));
                taken = 3;
            }
            Some('u') => {
                let end = rest.find('}').expect("\\u{…}");
                let code = u32::from_str_radix(&rest[2..end], 16).expect("hex in \\u{…}");
                let c = char::from_u32(code).expect("a character in \\u{…}");
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                taken = end + 1;
            }
            other => panic!("unknown escape \\{other:?}"),
        }
        rest = &rest[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
