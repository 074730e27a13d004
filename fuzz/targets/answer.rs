//! Any bytes of a backend: no panic; whatever head is found can be written so that it is read again as
//! the same, without anything odd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twiml_guard::guard::Oddities;
use twiml_guard::guard::head::{Reading, read};

fuzz_target!(|data: &[u8]| {
    let Reading::Head(head) = read(data) else { return };
    assert!(head.len <= data.len());
    let plain = head.plain(data);
    let Reading::Head(again) = read(&plain) else { panic!("what was written is no head") };
    assert_eq!(
        (again.status, again.len, again.odd),
        (head.status, plain.len(), Oddities::default())
    );
});
