//! Any bytes of a client's connection: no panic, the same verdicts however they are cut, no head
//! larger than allowed, and no body that another reading of the same chunks would end elsewhere.
//!
//! Input: a byte that says how long the pieces are, then the connection's bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twiml_guard::proxy::inlet::fault::Fault;
use twiml_guard::proxy::inlet::follow::{Follower, What};
use twiml_guard::proxy::inlet::head::{Head, Limits};

const LIMITS: Limits = Limits { bytes: 2048, lines: 20 };

fuzz_target!(|data: &[u8]| {
    let Some((&length, bytes)) = data.split_first() else { return };
    let whole = followed(bytes, bytes.len().max(1));
    assert_eq!(whole, followed(bytes, usize::from(length).max(1)));
    for head in whole.0.iter().flatten() {
        assert!(head.len <= LIMITS.bytes && head.len >= 16, "{head:?}");
    }
    assert!(whole.1 <= bytes.len());
});

/// Verdicts, how many bytes are understood, and what stands behind them, where the bytes come in
/// pieces of this length.
fn followed(bytes: &[u8], length: usize) -> (Vec<Result<Head, Fault>>, usize, What) {
    let (mut follower, mut verdicts) = (Follower::new(LIMITS), Vec::new());
    let (mut used, mut end, mut next) = (0, 0, What::More);
    while end < bytes.len() && next == What::More {
        end = (end + length).min(bytes.len());
        let (more, then) = follower.follow(&bytes[used..end], |verdict| verdicts.push(verdict));
        used += more;
        next = then;
    }
    (verdicts, used, next)
}
