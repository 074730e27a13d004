//! Reads the few things of an HTTP head that matter here. Its peers are this program and the proxies under test.

use memchr::{memchr, memchr_iter};

/// The path of a request line, query and all.
pub fn path(head: &[u8]) -> &str {
    let line = &head[..memchr(b'\r', head).unwrap_or(head.len())];
    let Some(start) = memchr(b' ', line) else { return "" };
    let rest = &line[start + 1..];
    std::str::from_utf8(&rest[..memchr(b' ', rest).unwrap_or(rest.len())]).unwrap_or("")
}

/// The status of a status line.
pub fn status(head: &[u8]) -> Option<u16> {
    head.strip_prefix(b"HTTP/1.")?
        .get(2..5)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
}

/// The value of a header.
pub fn value<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for start in memchr_iter(b'\n', head) {
        let Some(line) = head.get(start + 1..) else { continue };
        if line.len() > name.len()
            && line[name.len()] == b':'
            && line[..name.len()].eq_ignore_ascii_case(name)
        {
            let line = &line[name.len() + 1..];
            return Some(line[..memchr(b'\r', line).unwrap_or(line.len())].trim_ascii());
        }
    }
    None
}

/// Content-Length, where there is a readable one.
pub fn content_length(head: &[u8]) -> Option<usize> {
    std::str::from_utf8(value(head, b"content-length")?).ok()?.parse().ok()
}

/// Whether `Connection: close` stands there.
pub fn says_close(head: &[u8]) -> bool {
    value(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

/// Whether the body is chunked.
pub fn is_chunked(head: &[u8]) -> bool {
    value(head, b"transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"))
}
