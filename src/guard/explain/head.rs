//! Lines of an answer's head, and what they say of its body.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode};

use super::terminal::{bare, lines, without_escapes};

/// Most lines of a head.
pub(super) const MAX_HEAD_LINES: usize = 500;

/// The status of a status line.
pub(super) fn status_of(line: &[u8]) -> Option<StatusCode> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.strip_prefix("HTTP/")?.split_ascii_whitespace();
    let version = words.next()?;
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    StatusCode::from_bytes(words.next()?.as_bytes()).ok()
}

/// Name and value of a header line.
pub(super) fn header_of(line: &[u8]) -> Option<(HeaderName, Vec<u8>)> {
    let colon = memchr::memchr(b':', line)?;
    let name = HeaderName::from_bytes(line.get(..colon)?.trim_ascii()).ok()?;
    Some((name, line.get(colon + 1..)?.trim_ascii().to_vec()))
}

/// Header lines up to a blank one, with a name among them that answers carry.
pub(super) fn has_bare_headers(input: &[u8]) -> bool {
    let mut known = false;
    for line in lines(input).take(MAX_HEAD_LINES) {
        let line = without_escapes(bare(line));
        if line.is_empty() {
            return known;
        }
        let Some((name, _)) = header_of(&line) else { return false };
        known |= matches!(
            name.as_str(),
            "content-type" | "content-length" | "date" | "server" | "location" | "connection"
        );
    }
    known
}

/// What Content-Length says, where no transfer coding takes its place.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<usize> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// The body of a raw saved answer with chunks; `curl` has undone them already.
pub(super) fn dechunk(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    headers.get(TRANSFER_ENCODING)?;
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let line_end = memchr::memmem::find(rest, b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line_end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(line_end + 2..)?;
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}
