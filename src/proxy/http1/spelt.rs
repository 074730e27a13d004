//! How the names of a head's lines were written.
//!
//! Names have no case (RFC 9110, section 5.1), but some old backends and clients look at it all the
//! same: what passes through keeps its spelling.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

/// The names that were not written in title case (`Content-Type`), which is how every other one is
/// written again. Kept among a message's extensions, where there are any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spelt(Vec<Odd>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Odd {
    /// Which line of this name it was, from 0.
    at: usize,
    written: Bytes,
}

impl Spelt {
    /// Takes a name as it was `written`, before its line is added to `headers`.
    pub(crate) fn note(&mut self, headers: &HeaderMap, name: &HeaderName, written: &[u8]) {
        if !is_title_case(written) {
            let at = headers.get_all(name).iter().count();
            self.0.push(Odd { at, written: Bytes::copy_from_slice(written) });
        }
    }

    /// Whether every name is in title case.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How the name's `at`th line was written, if not in title case.
    fn of(&self, name: &HeaderName, at: usize) -> Option<&[u8]> {
        let name = name.as_str();
        let is_it = |odd: &&Odd| odd.at == at && odd.written.eq_ignore_ascii_case(name.as_bytes());
        self.0.iter().find(is_it).map(|odd| &*odd.written)
    }
}

/// Adds a name as it was written, in title case where that is not known.
pub(super) fn write(buf: &mut Vec<u8>, name: &HeaderName, at: usize, spelt: Option<&Spelt>) {
    match spelt.and_then(|spelt| spelt.of(name, at)) {
        Some(written) => buf.extend_from_slice(written),
        None => write_title_case(buf, name.as_str().as_bytes()),
    }
}

fn is_title_case(name: &[u8]) -> bool {
    let Some(first) = name.first() else { return true };
    let behind = name.get(1..).unwrap_or_default();
    // Without a branch, so that it is done for many bytes at once.
    let is_odd = |odd: bool, (&before, byte): (&u8, &u8)| {
        let is_first = before == b'-';
        odd | (is_first & byte.is_ascii_lowercase()) | (!is_first & byte.is_ascii_uppercase())
    };
    !name.iter().zip(behind).fold(first.is_ascii_lowercase(), is_odd)
}

fn write_title_case(buf: &mut Vec<u8>, name: &[u8]) {
    let from = buf.len();
    buf.extend_from_slice(name);
    let mut is_first = true;
    for byte in buf.iter_mut().skip(from) {
        if is_first {
            byte.make_ascii_uppercase();
        }
        is_first = *byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Names as they are written again.
    fn again(names: &[&str]) -> Vec<String> {
        let (mut headers, mut spelt) = (HeaderMap::new(), Spelt::default());
        for written in names {
            let name = HeaderName::from_bytes(written.as_bytes()).unwrap();
            spelt.note(&headers, &name, written.as_bytes());
            headers.append(name, HeaderValue::from_static("x"));
        }
        let mut written = Vec::new();
        for name in headers.keys() {
            for at in 0..headers.get_all(name).iter().count() {
                let mut buf = Vec::new();
                write(&mut buf, name, at, Some(&spelt));
                written.push(String::from_utf8(buf).unwrap());
            }
        }
        written
    }

    #[test]
    fn names_are_written_as_they_were() {
        for names in [
            &["Content-Type", "Host", "X-1a"][..],
            &["content-type", "HOST", "eTag", "X-REQUEST-id", "x_y", "--a"],
            &["Set-Cookie", "set-cookie", "SET-COOKIE", "Set-Cookie"],
        ] {
            assert_eq!(again(names), names);
        }
    }

    #[test]
    fn title_case_needs_no_memory() {
        let mut spelt = Spelt::default();
        for name in ["Content-Type", "X-Twilio-Signature", "I-Twilio-Idempotency-Token", "Te"] {
            let as_header = HeaderName::from_bytes(name.as_bytes()).unwrap();
            spelt.note(&HeaderMap::new(), &as_header, name.as_bytes());
        }
        assert!(spelt.is_empty());
    }
}
