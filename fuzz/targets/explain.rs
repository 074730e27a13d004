//! Anything a person may paste: read and explained without a panic, in one line, and what would be
//! delivered meets the contract.
//!
//! Input: a byte that chooses the slot (0xff: whatever the paste shows), the paste.
#![no_main]

#[path = "../../tests/kit/contract.rs"]
mod contract;

use libfuzzer_sys::fuzz_target;
use twiml_guard::guard::explain::{Asked, explain, paste};
use twiml_guard::guard::{Policy, judge};
use twiml_guard::twilio::Slot;

fuzz_target!(|data: &[u8]| {
    let Some((&slot, pasted)) = data.split_first() else { return };
    let slot = (slot != 0xff).then(|| Slot::ALL[usize::from(slot) % Slot::ALL.len()]);
    let paste = paste::read(pasted);
    let Ok(asked) = Asked::of(&paste, slot, None) else { panic!("refused without a URL") };
    let explanation = explain(&paste, &asked, &Policy::default());
    assert!(!explanation.sentence.trim().is_empty(), "nothing said");
    let policy = asked.policy(&Policy::default());
    let judgement = judge(&explanation.exchange, &policy);
    if let Err(why) = contract::hold(&explanation.exchange, &policy, &judgement) {
        panic!("{why}\nfrom {:?}\nleft {:?}", explanation.exchange, judgement.delivery);
    }
});
