//! Any bytes under any labels: content codings are undone within the limit, and text that came out
//! of bytes reads the same when it is read again.
//!
//! Input: header lines up to an empty line (the charset is that of Content-Type), the body.
#![no_main]

#[allow(dead_code)]
mod input;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use twiml_guard::guard::{charset, coding};

const LIMIT: usize = 256 * 1024;

fuzz_target!(|data: &[u8]| {
    let (headers, body) = input::message(data);
    let Ok(decoded) = coding::decode(&headers, &Bytes::copy_from_slice(body), LIMIT) else {
        return;
    };
    assert!(
        decoded.layers.is_empty() || decoded.body.len() <= LIMIT,
        "{} bytes, limit {LIMIT}",
        decoded.body.len()
    );
    let stated = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("charset="))
        .map(|(_, charset)| charset.trim_matches('"'));
    match charset::decode(&decoded.body, stated) {
        Ok(read) => {
            // Characters that are a mark, or make bytes look wide, are read as such again.
            if !read.text.starts_with('\u{feff}') && !read.text.contains('\0') {
                let again = charset::decode(read.text.as_bytes(), None);
                assert_eq!(again.map(|again| again.text), Ok(read.text.clone()));
            }
        }
        Err(wrong) => assert!(wrong.offset <= decoded.body.len(), "{wrong}"),
    }
});
