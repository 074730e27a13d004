//! Undoing one coding, never to more than a limit.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::{Coding, CodingError};

/// Undoes one coding; the flag says whether something behind the data was damaged.
pub(super) fn undo(
    coding: Coding,
    body: &[u8],
    limit: usize,
) -> Result<(Bytes, bool), CodingError> {
    match coding {
        Coding::Gzip => gunzip(body, limit),
        Coding::Deflate => match drain(ZlibDecoder::new(body), limit) {
            Drained::Whole(plain) => Ok((plain, false)),
            Drained::TooLarge => Err(CodingError::TooLarge { limit }),
            // Without the two bytes of its header, zlib data is raw deflate and a checksum.
            Drained::Broken(_, error) => {
                if let Some(plain) = raw_deflate(body, limit)? {
                    return Ok((plain, false));
                }
                match raw_deflate(body.get(2..).unwrap_or_default(), limit)? {
                    Some(plain) => Ok((plain, true)),
                    None => Err(corrupt(coding, &error)),
                }
            }
        },
        Coding::Brotli => {
            finish(drain(brotli_decompressor::Decompressor::new(body, 4096), limit), coding, limit)
        }
        Coding::Zstd => {
            let window = 8 * 1024 * 1024;
            let decoder =
                ruzstd::decoding::StreamingDecoder::new_with_max_window_size(body, window)
                    .map_err(|error| corrupt(coding, &error))?;
            finish(drain(decoder, limit), coding, limit)
        }
    }
}

/// Raw deflate data that reaches its own end mark.
fn raw_deflate(data: &[u8], limit: usize) -> Result<Option<Bytes>, CodingError> {
    match drain(DeflateDecoder::new(data), limit) {
        Drained::Whole(plain) => Ok(Some(plain).filter(|plain| !plain.is_empty())),
        Drained::TooLarge => Err(CodingError::TooLarge { limit }),
        Drained::Broken(..) => Ok(None),
    }
}

/// All members of a gzip file; garbage behind the last whole one, or a damaged trailer, is told.
fn gunzip(body: &[u8], limit: usize) -> Result<(Bytes, bool), CodingError> {
    let mut rest = body;
    let mut plain = Vec::new();
    loop {
        let mut decoder = GzDecoder::new(rest);
        match drain(&mut decoder, limit - plain.len().min(limit)) {
            Drained::Whole(member) => plain.extend_from_slice(&member),
            Drained::TooLarge => return Err(CodingError::TooLarge { limit }),
            Drained::Broken(member, error) => {
                let whole = gzip_payload(rest).is_some_and(raw_deflate_is_whole);
                plain.extend_from_slice(&member);
                return tail_or_corrupt(Bytes::from(plain), &error, Coding::Gzip, || whole);
            }
        }
        rest = decoder.into_inner();
        if rest.is_empty() {
            return Ok((Bytes::from(plain), false));
        }
        if !rest.starts_with(&[0x1f, 0x8b, 8]) {
            return Ok((Bytes::from(plain), true));
        }
    }
}

/// The deflate data of a gzip member: behind its header (RFC 1952).
fn gzip_payload(body: &[u8]) -> Option<&[u8]> {
    let flags = *body.get(3)?;
    let mut rest = body.get(10..)?;
    if flags & 4 != 0 {
        let len = usize::from(*rest.first()?) | usize::from(*rest.get(1)?) << 8;
        rest = rest.get(2 + len..)?;
    }
    for flag in [8, 16] {
        if flags & flag != 0 {
            rest = rest.get(memchr::memchr(0, rest)? + 1..)?;
        }
    }
    if flags & 2 != 0 { rest.get(2..) } else { Some(rest) }
}

/// Whether raw deflate data reaches its own end mark, so that only what follows is damaged.
fn raw_deflate_is_whole(data: &[u8]) -> bool {
    let mut sink = [0u8; 4096];
    let mut decoder = DeflateDecoder::new(data);
    // Bounded: the caller's own pass over the same data ended within its limit.
    for _ in 0..4096 {
        match decoder.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

fn tail_or_corrupt(
    plain: Bytes,
    error: &io::Error,
    coding: Coding,
    whole: impl FnOnce() -> bool,
) -> Result<(Bytes, bool), CodingError> {
    if !plain.is_empty() && whole() { Ok((plain, true)) } else { Err(corrupt(coding, error)) }
}

fn finish(drained: Drained, coding: Coding, limit: usize) -> Result<(Bytes, bool), CodingError> {
    match drained {
        Drained::Whole(plain) => Ok((plain, false)),
        Drained::TooLarge => Err(CodingError::TooLarge { limit }),
        Drained::Broken(_, error) => Err(corrupt(coding, &error)),
    }
}

fn corrupt(coding: Coding, error: &dyn std::fmt::Display) -> CodingError {
    CodingError::Corrupt { coding: coding.name().to_owned(), detail: error.to_string() }
}

pub(super) enum Drained {
    Whole(Bytes),
    Broken(Bytes, io::Error),
    TooLarge,
}

/// Reads to the end, but never more than `limit` bytes.
pub(super) fn drain(mut reader: impl Read, limit: usize) -> Drained {
    let mut plain = Vec::new();
    let mut chunk = vec![0u8; 8192];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Drained::Whole(Bytes::from(plain)),
            Ok(read) if plain.len() + read > limit => return Drained::TooLarge,
            Ok(read) => plain.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            Err(error) => return Drained::Broken(Bytes::from(plain), error),
        }
    }
}
