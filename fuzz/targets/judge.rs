//! Any answer in any slot: no panic, the contract of a delivery, untouched when judged again.
//!
//! Input: three bytes that choose slot, status and the rest, header lines up to an empty line, the
//! body.
#![no_main]

#[path = "../../tests/kit/contract.rs"]
mod contract;
mod input;

use libfuzzer_sys::fuzz_target;
use twiml_guard::guard::judge;

fuzz_target!(|data: &[u8]| {
    let Some((exchange, policy)) = input::exchange(data) else { return };
    let judgement = judge(&exchange, &policy);
    if let Err(why) = contract::hold(&exchange, &policy, &judgement) {
        let findings: Vec<_> = judgement.findings.iter().map(|f| f.cause.slug).collect();
        panic!(
            "{why}\n{} in {}: {findings:?}\nfrom {exchange:?}\nleft {:?}",
            judgement.verdict.name(),
            exchange.slot,
            judgement.delivery
        );
    }
});
