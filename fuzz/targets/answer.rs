//! Any bytes of a backend: no panic; whatever head is found can be written so that it is read again as
//! the same, without anything odd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twiml_guard::guard::Oddities;
use twiml_guard::guard::head::{Reading, read};

fuzz_target!(|data: &[u8]| {
    let Reading::Head(head) = read(data) else { return };
    assert!(head.len <= data.len());
    let mut plain = format!("HTTP/1.1 {} \r\n", head.status.as_u16()).into_bytes();
    for header in head.headers.iter().filter(|header| !header.is_doubted) {
        plain.extend_from_slice(&data[header.name.clone()]);
        plain.extend_from_slice(b": ");
        plain.extend_from_slice(&header.joined(data));
        plain.extend_from_slice(b"\r\n");
    }
    plain.extend_from_slice(b"\r\n");
    let Reading::Head(again) = read(&plain) else { panic!("what was written is no head") };
    assert_eq!(
        (again.status, again.len, again.odd),
        (head.status, plain.len(), Oddities::default())
    );
});
