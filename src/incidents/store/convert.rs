//! Between Rust's types and SQLite's.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::types::ValueRef;

use super::StoreError;
use crate::incidents::record::Record;

/// Most bytes of a record's JSON: bodies are bounded far below that.
const MAX_JSON: u64 = 64 * 1024 * 1024;

/// SQLite's integers are signed; hashes use all 64 bits.
pub(super) fn signed(hash: u64) -> i64 {
    i64::from_ne_bytes(hash.to_ne_bytes())
}

/// The other way round.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::from_ne_bytes(number.to_ne_bytes())
}

/// Times and counts: what does not fit is the largest that does.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The other way round; what is negative is 0.
pub(super) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// A SID in 18 bytes instead of 34: two letters and 32 hexadecimal digits; anything else as it is.
pub(super) fn sid_to_blob(sid: &str) -> Vec<u8> {
    let packed = || {
        let (kind, digits) = sid.split_at_checked(2)?;
        if digits.len() != 32 || digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        let mut blob = kind.as_bytes().to_vec();
        blob.extend(u128::from_str_radix(digits, 16).ok()?.to_be_bytes());
        // `+` before a digit is a number to Rust, but no digit.
        (!digits.starts_with('+')).then_some(blob)
    };
    packed().unwrap_or_else(|| sid.as_bytes().to_vec())
}

/// The other way round.
pub(super) fn blob_to_sid(blob: &[u8]) -> String {
    let unpacked = || {
        let (kind, digits) = blob.split_at_checked(2)?;
        let digits: [u8; 16] = digits.try_into().ok()?;
        Some(format!("{}{:032x}", std::str::from_utf8(kind).ok()?, u128::from_be_bytes(digits)))
    };
    unpacked().unwrap_or_else(|| String::from_utf8_lossy(blob).into_owned())
}

/// `,12100,11200,`: one entry can be looked for with its commas.
pub(super) fn list<T: ToString>(entries: &[T]) -> String {
    let mut list = String::with_capacity(64);
    list.push(',');
    for entry in entries {
        list.push_str(&entry.to_string());
        list.push(',');
    }
    list
}

/// The other way round.
pub(super) fn unlist(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|entry| !entry.is_empty())
}

/// A column that may be NULL, as text.
pub(super) fn sid(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Blob(blob) => Some(blob_to_sid(blob)),
        _ => None,
    }
}

/// A record's JSON, compressed.
pub(super) fn pack(record: &Record) -> Result<Vec<u8>, StoreError> {
    let fault = |error: String| StoreError::Record(error);
    let json = serde_json::to_vec(record).map_err(|error| fault(error.to_string()))?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&json).map_err(|error| fault(error.to_string()))?;
    encoder.finish().map_err(|error| fault(error.to_string()))
}

/// The other way round.
pub(super) fn unpack(blob: &[u8]) -> Result<Record, StoreError> {
    let fault = |error: String| StoreError::Record(error);
    let mut json = Vec::new();
    ZlibDecoder::new(blob)
        .take(MAX_JSON)
        .read_to_end(&mut json)
        .map_err(|error| fault(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| fault(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sids_are_packed_where_they_are_sids() {
        let sid = "CA0123456789abcdef0123456789abcdef";
        assert_eq!(sid_to_blob(sid).len(), 18);
        for odd in [
            "CA0123456789ABCDEF0123456789abcdef",
            "",
            "CA1",
            "CA+123456789abcdef0123456789abcdef",
            "שלום",
        ] {
            assert_eq!(blob_to_sid(&sid_to_blob(odd)), odd);
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(sid in "CA[0-9a-f]{32}|[^a]{0,16}", hash: u64) {
            // 18 bytes that are no SID read as one: Twilio's never are.
            prop_assume!(sid.len() != 18);
            prop_assert_eq!(blob_to_sid(&sid_to_blob(&sid)), sid);
            prop_assert_eq!(unsigned(signed(hash)), hash);
        }
    }
}
