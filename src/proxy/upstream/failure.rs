//! What the HTTP reader and the system report, in the guard's words.

use std::error::Error;
use std::io;

use super::tap::Tap;
use crate::guard::Failure;

/// Why no answer's head came, after a request was (or was about to be) sent.
pub(super) fn before_head(error: &hyper::Error, tap: &Tap) -> Failure {
    let received = tap.received();
    let kind = tap.fault().or_else(|| io_kind(error));
    match kind {
        Some(io::ErrorKind::InvalidData) => {
            return Failure::NotHttp { received, detail: chain(error) };
        }
        Some(io::ErrorKind::UnexpectedEof) => return Failure::ClosedEarly { received },
        Some(
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected,
        ) if !error.is_parse() => return Failure::Reset,
        _ => {}
    }
    if error.is_parse() {
        return Failure::NotHttp { received, detail: chain(error) };
    }
    if !could_be_http(&received) {
        let detail = "the connection was closed before a status line".to_owned();
        return Failure::NotHttp { received, detail };
    }
    if error.is_user() {
        return Failure::Internal { detail: chain(error) };
    }
    Failure::ClosedEarly { received }
}

/// A request can be sent once.
pub(super) fn sent_already() -> Failure {
    Failure::Internal { detail: "the request was sent already".to_owned() }
}

/// An error with all its sources in one line.
pub(in crate::proxy) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = inner.source();
    }
    text
}

fn io_kind(error: &hyper::Error) -> Option<io::ErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        source = inner.source();
    }
    None
}

/// Whether these bytes are, or may become, a status line.
fn could_be_http(received: &[u8]) -> bool {
    let start = received.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(received.len());
    let line = received.get(start..).unwrap_or_default();
    line.iter().zip(b"HTTP/1.").all(|(found, expected)| found == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_status_line_is_still_http() {
        for start in ["", "\r\n", "H", "HTTP/1.", "HTTP/1.1 200 OK\r\nContent-Le"] {
            assert!(could_be_http(start.as_bytes()), "{start:?}");
        }
        for start in ["<html>", "HTTP/2 200", "SSH-2.0", "\u{feff}HTTP/1.1"] {
            assert!(!could_be_http(start.as_bytes()), "{start:?}");
        }
    }
}
