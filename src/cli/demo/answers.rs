//! Answers as bytes, and the codings that misbehaving backends put them into.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::backend::Step;

/// The document of the demo's call flow.
pub(super) const DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Say>Welcome to the demo.</Say><Hangup/></Response>";

/// Header lines in the order in which they are sent.
pub(super) type Headers<'a> = &'a [(&'a str, &'a str)];

/// A whole answer, with an exact Content-Length where a body may be.
pub(super) fn answer(status: &str, headers: Headers<'_>, body: &[u8]) -> Vec<Step> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    if !status.starts_with("204") {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

/// A 200 in text/xml.
pub(super) fn twiml(body: &str) -> Vec<Step> {
    xml("200 OK", body)
}

/// text/xml.
pub(super) fn xml(status: &str, body: &str) -> Vec<Step> {
    answer(status, &[("Content-Type", "text/xml")], body.as_bytes())
}

/// text/html.
pub(super) fn html(status: &str, body: &str) -> Vec<Step> {
    answer(status, &[("Content-Type", "text/html; charset=utf-8")], body.as_bytes())
}

/// text/plain.
pub(super) fn plain(status: &str, body: &str) -> Vec<Step> {
    answer(status, &[("Content-Type", "text/plain; charset=utf-8")], body.as_bytes())
}

/// A web page.
pub(super) fn page(text: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html><head><title>Demo</title></head><body><h1>{text}</h1></body></html>\n"
    )
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    in_memory(encoder.write_all(bytes).and_then(|()| encoder.finish()))
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    in_memory(encoder.write_all(bytes).and_then(|()| encoder.finish()))
}

pub(super) fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    in_memory(encoder.write_all(bytes).and_then(|()| encoder.finish()))
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// One stored meta-block and an empty last one (RFC 7932, 9.2): at most 64 kB.
pub(super) fn brotli(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.get(..bytes.len().min(1 << 16)).unwrap_or(bytes);
    let length = u32::try_from(bytes.len()).unwrap_or(1).saturating_sub(1);
    // A window of 16 bits, not the last block, four nibbles of length, stored.
    let head = (length << 4) | (1 << 20);
    let mut out: Vec<u8> = head.to_le_bytes().into_iter().take(3).collect();
    out.extend_from_slice(bytes);
    out.push(0b11);
    out
}

/// Encoding into memory has no way to fail.
fn in_memory(result: std::io::Result<Vec<u8>>) -> Vec<u8> {
    result.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(mut decoder: impl Read) -> String {
        let mut text = String::new();
        decoder.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn every_coding_decodes_to_the_document() {
        let document = DOCUMENT.as_bytes();
        assert_eq!(read(flate2::read::GzDecoder::new(&gzip(document)[..])), DOCUMENT);
        assert_eq!(read(flate2::read::ZlibDecoder::new(&deflate(document)[..])), DOCUMENT);
        assert_eq!(read(flate2::read::DeflateDecoder::new(&raw_deflate(document)[..])), DOCUMENT);
        let coded = brotli(document);
        assert_eq!(read(brotli_decompressor::Decompressor::new(&coded[..], 4096)), DOCUMENT);
        let coded = zstd(document);
        assert_eq!(read(ruzstd::decoding::StreamingDecoder::new(&coded[..]).unwrap()), DOCUMENT);
    }

    #[test]
    fn a_204_announces_no_length() {
        let [Step::Send(bytes)] = &answer("204 No Content", &[], b"")[..] else { panic!() };
        assert_eq!(bytes, b"HTTP/1.1 204 No Content\r\n\r\n");
    }
}
