//! Looking at all bytes of a text, which goes by many at a time where nothing ends it early.

/// Whether one of the bytes is as asked.
#[inline]
pub fn any(text: &str, is_one: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(0, |found, byte| found | u8::from(is_one(byte))) != 0
}

/// How many of the bytes are as asked.
#[inline]
pub fn count(text: &str, is_one: impl Fn(u8) -> bool) -> usize {
    let mut all = 0;
    // So many that a byte holds their number.
    for bytes in text.as_bytes().chunks(usize::from(u8::MAX)) {
        all += usize::from(bytes.iter().fold(0, |count, byte| count + u8::from(is_one(*byte))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_looked_at() {
        for length in [0, 1, 254, 255, 256, 257, 1_000] {
            let text = "7".repeat(length);
            assert_eq!(count(&text, |byte| byte == b'7'), length);
            assert!(!any(&text, |byte| byte == b'8'));
            assert!(any(&(text + "8"), |byte| byte == b'8'));
        }
    }
}
