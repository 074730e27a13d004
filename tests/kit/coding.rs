//! Content codings and damage, step by step, as a case's head names them.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// Applies one step: a coding, `cut:N` (bytes off the end), `zero:N` (the last bytes zeroed),
/// `append:TEXT`, `flip:N` (the byte at N inverted).
pub fn step(step: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
    let (name, argument) = step.split_once(':').unwrap_or((step, ""));
    let number = || argument.parse::<usize>().map_err(|error| format!("{step}: {error}"));
    Ok(match name {
        "gzip" => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&body).and_then(|()| encoder.finish()).map_err(|e| e.to_string())?
        }
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&body).and_then(|()| encoder.finish()).map_err(|e| e.to_string())?
        }
        "raw-deflate" => {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&body).and_then(|()| encoder.finish()).map_err(|e| e.to_string())?
        }
        "br" => brotli(&body),
        "zstd" => ruzstd::encoding::compress_to_vec(
            body.as_slice(),
            ruzstd::encoding::CompressionLevel::Fastest,
        ),
        "cut" => body[..body.len().saturating_sub(number()?)].to_vec(),
        "zero" => {
            let mut body = body;
            let from = body.len().saturating_sub(number()?);
            body[from..].fill(0);
            body
        }
        "flip" => {
            let mut body = body;
            let at = number()?;
            *body.get_mut(at).ok_or(format!("{step}: past the end"))? ^= 0xff;
            body
        }
        "append" => [body.as_slice(), argument.as_bytes()].concat(),
        _ => return Err(format!("unknown step `{step}`")),
    })
}

/// A brotli stream of stored blocks (RFC 7932, section 9.2): the crates in use only decode.
fn brotli(body: &[u8]) -> Vec<u8> {
    let mut bits = Bits::default();
    // WBITS = 22
    bits.push(0b1011, 4);
    for block in body.chunks(1 << 16) {
        bits.push(0, 1);
        bits.push(0, 2);
        bits.push(u32::try_from(block.len() - 1).unwrap_or(0), 16);
        bits.push(1, 1);
        bits.align();
        bits.bytes.extend_from_slice(block);
    }
    bits.push(0b11, 2);
    bits.align();
    bits.bytes
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    filled: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        self.pending |= value << self.filled;
        self.filled += count;
        while self.filled >= 8 {
            self.bytes.push((self.pending & 0xff) as u8);
            self.pending >>= 8;
            self.filled -= 8;
        }
    }

    fn align(&mut self) {
        if self.filled > 0 {
            self.push(0, 8 - self.filled);
        }
    }
}
