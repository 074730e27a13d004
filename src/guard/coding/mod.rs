//! Undoing content codings: what the header says, what the bytes are.

mod undo;

use std::io::Read as _;

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::twiml::chars::is_plain;
use undo::{Drained, drain, undo};

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `br`.
    Brotli,
    /// `deflate`: zlib, or raw deflate as some servers send it.
    Deflate,
    /// `gzip`.
    Gzip,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn of(label: &str) -> Option<Self> {
        match label.trim().to_ascii_lowercase().as_str() {
            "br" => Some(Self::Brotli),
            "deflate" => Some(Self::Deflate),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A body with its content codings undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes.
    pub body: Bytes,
    /// What was undone, outermost first, and whether the header had named it.
    pub layers: Vec<Layer>,
    /// Codings that the header named and the bytes do not have.
    pub untrue: Option<String>,
}

/// One coding that was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Which.
    pub coding: Coding,
    /// Whether Content-Encoding had named it.
    pub declared: bool,
    /// Whether something behind the data was damaged: a cut trailer, a wrong checksum, garbage.
    pub damaged_tail: bool,
}

/// Why a body's codings can't be undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// The compressed data is broken or cut.
    #[error("expected {coding} data, found a body that does not decode: {detail}")]
    Corrupt {
        /// The coding's name.
        coding: String,
        /// What the decoder said.
        detail: String,
    },
    /// The decoded body is larger than allowed.
    #[error("expected at most {limit} decoded bytes, found more")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// No decoder for this coding.
    #[error("expected gzip, deflate, br or zstd, found Content-Encoding `{label}`")]
    Unknown {
        /// The label.
        label: String,
    },
}

/// Deepest nesting of codings that is undone.
const MAX_LAYERS: usize = 3;

/// Undoes the content codings of a body, declared or not, to at most `limit` bytes.
///
/// Undeclared codings are known by their first bytes (gzip, zstd) or, for zlib, raw deflate and br,
/// when a declared one of another name fails.
pub fn decode(headers: &HeaderMap, body: &Bytes, limit: usize) -> Result<Decoded, CodingError> {
    let labels = labels(headers);
    let mut decoded = Decoded { body: body.clone(), layers: Vec::new(), untrue: None };
    for label in labels.iter().rev() {
        if decoded.body.is_empty() {
            break;
        }
        let coding = Coding::of(label);
        if looks_plain(&decoded.body) {
            decoded.untrue = Some(label.clone());
            continue;
        }
        let declared = match coding {
            Some(coding) => undo(coding, &decoded.body, limit),
            None => Err(CodingError::Unknown { label: label.clone() }),
        };
        match declared {
            Ok((plain, damaged_tail)) => {
                decoded.body = plain;
                let coding = coding.unwrap_or(Coding::Gzip);
                decoded.layers.push(Layer { coding, declared: true, damaged_tail });
            }
            Err(error @ CodingError::TooLarge { .. }) => return Err(error),
            Err(error) => match sniff(&decoded.body) {
                Some(other) if Some(other) != coding => {
                    let (plain, damaged_tail) = undo(other, &decoded.body, limit)?;
                    decoded.body = plain;
                    decoded.untrue = Some(label.clone());
                    decoded.layers.push(Layer { coding: other, declared: false, damaged_tail });
                }
                _ => return Err(error),
            },
        }
    }
    while decoded.layers.len() < MAX_LAYERS {
        let Some(coding) = sniff(&decoded.body) else {
            if let Some((coding, plain)) = unmarked(&decoded.body, limit) {
                decoded.body = plain;
                decoded.layers.push(Layer { coding, declared: false, damaged_tail: false });
            }
            break;
        };
        let (plain, damaged_tail) = undo(coding, &decoded.body, limit)?;
        decoded.body = plain;
        decoded.layers.push(Layer { coding, declared: false, damaged_tail });
    }
    Ok(decoded)
}

/// Whether Content-Encoding is there and names nothing but `identity`, which is no coding and
/// belongs into requests only (RFC 9110, section 8.4).
pub fn names_identity(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_ENCODING) && labels(headers).is_empty()
}

/// The labels of Content-Encoding in the order of application, `identity` left out.
fn labels(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .split(',')
                .map(|label| label.trim().to_ascii_lowercase())
                .filter(|label| !label.is_empty() && label != "identity")
                .collect::<Vec<_>>()
        })
        .take(8)
        .collect()
}

/// The coding that a body's first bytes give away.
fn sniff(body: &[u8]) -> Option<Coding> {
    match body {
        [0x1f, 0x8b, 8, ..] => Some(Coding::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Coding::Zstd),
        // zlib: window of 32 KiB and a header checksum; not a letter sequence that text begins with.
        [0x78, flags @ (0x01 | 0x5e | 0x9c | 0xda), ..] if *flags != 0x5e || body.len() > 2 => {
            inflates(body).then_some(Coding::Deflate)
        }
        _ => None,
    }
}

/// Raw deflate or brotli, which begin with no mark: believed only when binary bytes decode whole
/// and to markup or JSON.
fn unmarked(body: &[u8], limit: usize) -> Option<(Coding, Bytes)> {
    let is_text = || std::str::from_utf8(body).is_ok_and(|text| !has_binary(text));
    if is_plain(body) || is_text() {
        return None;
    }
    let raw = match drain(DeflateDecoder::new(body), limit) {
        Drained::Whole(plain) => Some((Coding::Deflate, plain)),
        _ => None,
    };
    let brotli = || match drain(brotli_decompressor::Decompressor::new(body, 4096), limit) {
        Drained::Whole(plain) => Some((Coding::Brotli, plain)),
        _ => None,
    };
    raw.filter(|(_, plain)| looks_plain(plain))
        .or_else(|| brotli().filter(|(_, plain)| looks_plain(plain)))
}

/// Whether a text has a control character that is no white space.
// Without a branch, so that many bytes are looked at together.
#[allow(clippy::needless_bitwise_bool)]
fn has_binary(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_binary = |b: u8| (b < b' ') & !matches!(b, b'\t'..=b'\r') | (b == 0x7f);
    let has_ascii = bytes.iter().fold(false, |found, &b| found | is_binary(b));
    // The others (U+0080 to U+009F) begin with one byte, and U+0085 is the end of a line.
    let is_other = |at: usize| matches!(bytes.get(at + 1), Some(0x80..=0x84 | 0x86..=0x9f));
    has_ascii || memchr::memchr_iter(0xc2, bytes).any(is_other)
}

fn inflates(body: &[u8]) -> bool {
    let mut first = [0u8; 1];
    matches!(ZlibDecoder::new(body).read(&mut first), Ok(1))
}

/// Whether the body is text already: begins (blanks and BOM aside) with markup or JSON.
fn looks_plain(body: &[u8]) -> bool {
    let start = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let head = start.get(..start.len().min(64)).unwrap_or_default();
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character cut by the window is no binary byte.
        Err(error) if error.error_len().is_none() => "",
        Err(_) => return false,
    };
    matches!(start.first(), Some(b'<' | b'{' | b'[' | b'"')) && !has_binary(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    const PLAIN: &[u8] = b"<Response><Say>Hello, hello, hello</Say></Response>";

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(label: Option<&'static str>, body: Vec<u8>) -> Result<Decoded, CodingError> {
        let mut headers = HeaderMap::new();
        if let Some(label) = label {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(label));
        }
        decode(&headers, &Bytes::from(body), 100_000)
    }

    fn assert_plain(label: Option<&'static str>, body: Vec<u8>) -> Decoded {
        let decoded = decoded(label, body).unwrap();
        assert_eq!(decoded.body, PLAIN);
        decoded
    }

    #[test]
    fn declared_and_undeclared_gzip_are_undone() {
        assert!(assert_plain(Some("gzip"), gzip(PLAIN)).layers[0].declared);
        assert!(!assert_plain(None, gzip(PLAIN)).layers[0].declared);
        assert_eq!(assert_plain(Some("gzip, gzip"), gzip(&gzip(PLAIN))).layers.len(), 2);
        assert_eq!(assert_plain(Some("gzip"), gzip(&gzip(PLAIN))).layers.len(), 2);
    }

    #[test]
    fn deflate_is_undone_as_zlib_and_raw() {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(PLAIN).unwrap();
        let zlib = zlib.finish().unwrap();
        assert_plain(Some("deflate"), zlib.clone());
        assert_plain(None, zlib);
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(PLAIN).unwrap();
        assert_plain(Some("deflate"), raw.finish().unwrap());
    }

    #[test]
    fn a_header_without_the_coding_is_told() {
        assert_eq!(assert_plain(Some("gzip"), PLAIN.to_vec()).untrue.as_deref(), Some("gzip"));
        assert_eq!(assert_plain(Some("br"), PLAIN.to_vec()).untrue.as_deref(), Some("br"));
    }

    #[test]
    fn damage_behind_the_data_is_forgiven_and_told() {
        let whole = gzip(PLAIN);
        for broken in [
            whole[..whole.len() - 8].to_vec(),
            whole[..whole.len() - 3].to_vec(),
            [&whole[..whole.len() - 8], &[0u8; 8]].concat(),
            [&whole[..], b"garbage"].concat(),
        ] {
            assert!(assert_plain(Some("gzip"), broken).layers[0].damaged_tail);
        }
    }

    #[test]
    fn cut_data_is_corrupt() {
        let whole = gzip(PLAIN);
        let cut = whole[..whole.len() - 14].to_vec();
        assert!(matches!(decoded(Some("gzip"), cut), Err(CodingError::Corrupt { .. })));
        assert!(matches!(decoded(Some("gzip"), vec![0xff; 40]), Err(CodingError::Corrupt { .. })));
        assert!(matches!(decoded(Some("lzma"), vec![0xff; 40]), Err(CodingError::Unknown { .. })));
    }

    #[test]
    fn bombs_are_refused() {
        let bomb = gzip(&vec![b'a'; 10_000_000]);
        assert_eq!(decoded(Some("gzip"), bomb), Err(CodingError::TooLarge { limit: 100_000 }));
    }

    #[test]
    fn codings_without_a_mark_are_known_by_what_they_hold() {
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(PLAIN).unwrap();
        assert_plain(None, raw.finish().unwrap());
    }

    #[test]
    fn plain_text_stays() {
        for text in [&b"x^ is text"[..], b"", b"x\x9c", b"\x1f\x8b"] {
            assert_eq!(decoded(None, text.to_vec()).unwrap().body, text);
        }
    }

    #[test]
    fn control_characters_are_known_by_their_bytes() {
        for c in '\0'..='\u{2000}' {
            let is_binary = c.is_control() && !c.is_whitespace();
            for text in [format!("{c}"), format!("a{c}\u{e9}\u{c2}"), format!("\u{80a}{c}")] {
                assert_eq!(has_binary(&text), is_binary, "{c:?} {text:?}");
            }
        }
    }
}
