//! Which bytes may stand where in a head.

use super::fault::{Fault, syntax};

/// RFC 9110, section 5.6.2.
pub(super) fn is_token(word: &[u8]) -> bool {
    /// By byte.
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0_u8;
        while byte < 0x80 {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let (signs, mut at) = (b"!#$%&'*+-.^_`|~", 0);
        while at < signs.len() {
            table[signs[at] as usize] = true;
            at += 1;
        }
        table
    };
    !word.is_empty() && word.iter().all(|&b| TOKEN[usize::from(b)])
}

/// Refuses the first control character, if there is one. A tab is none.
pub(super) fn no_control(bytes: &[u8]) -> Result<(), Fault> {
    let is_control = |b: u8| (b < b' ' && b != b'\t') || b == 0x7f;
    // Without an early end it is done in wide steps.
    if !bytes.iter().fold(false, |found, &b| found | is_control(b)) {
        return Ok(());
    }
    Err(match bytes.iter().find(|&&b| is_control(b)) {
        Some(b'\r') => syntax("a carriage return stands where no line ends"),
        _ => syntax("the head has a control character"),
    })
}
