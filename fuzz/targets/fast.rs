//! Any answer in any slot: the fast path says what the full judge says, or nothing.
//!
//! Input as for `judge`: three bytes that choose slot, status and the rest, header lines up to an
//! empty line, the body.
#![no_main]

mod input;
#[path = "../../tests/kit/same.rs"]
mod same;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((exchange, policy)) = input::exchange(data) else { return };
    if let Some(why) = same::differing(&exchange, &policy) {
        panic!("{why}\nfrom {exchange:?}");
    }
});
