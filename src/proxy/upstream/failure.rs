//! Why no answer came, in the guard's words.

use std::error::Error;
use std::io;

use super::connection::{Fault, Why};
use crate::guard::Failure;

/// Why no answer's head came, after a request was (or was about to be) sent.
pub(super) fn before_head(fault: Fault) -> Failure {
    let Fault { why, received } = fault;
    match why {
        Why::NotHttp(detail) => return Failure::NotHttp { received, detail },
        Why::Request(detail) => return Failure::Internal { detail },
        Why::Ended => {}
        Why::Io(error) => match error.kind() {
            io::ErrorKind::InvalidData => {
                return Failure::NotHttp { received, detail: chain(&error) };
            }
            io::ErrorKind::UnexpectedEof => return Failure::ClosedEarly { received },
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected => return Failure::Reset,
            _ => {}
        },
    }
    if could_be_http(&received) {
        return Failure::ClosedEarly { received };
    }
    let detail = "the connection was closed before a status line".to_owned();
    Failure::NotHttp { received, detail }
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
