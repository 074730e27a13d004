//! Any configuration file: it is read or refused with its mistakes, never with a panic; what was read
//! can be printed, and what was printed is read again as the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use twiml_guard::config::{Sources, load_text};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Paths in the file lead nowhere, and to no device that never ends.
    if text.contains("/dev") || text.contains("..") {
        return;
    }
    let folder = Path::new("/nonexistent");
    let load = |text: String| load_text(&Sources::default(), folder, text);
    match load(text.to_owned()) {
        Ok(loaded) => {
            let printed = loaded.print();
            // A secret is not printed.
            if printed.contains("***") {
                return;
            }
            let again = load(printed.clone());
            assert!(again.is_ok(), "what was printed is not read:\n{printed}\n{:?}", again.err());
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
});
