//! Any header lines in a GET: what the reader takes for a WebSocket handshake is one by a reading of its
//! own (RFC 6455, section 4.2.1), and only then may the connection switch.
//!
//! Input: header lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use twiml_guard::proxy::inlet::head::{Limits, Reader, Verdict};

const LIMITS: Limits = Limits { bytes: 16 * 1024, lines: 100 };

fuzz_target!(|data: &[u8]| {
    let request = [b"GET /ws HTTP/1.1\r\nHost: a\r\n", data, b"\r\n\r\n"].concat();
    let Verdict::Complete(head) = Reader::default().read(&request, LIMITS) else { return };
    let text: String = request[..head.len].iter().map(|&b| char::from(b)).collect();
    let lines: Vec<(String, &str)> = text
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])))
        .collect();
    let all = |name: &str| -> Vec<&str> {
        lines.iter().filter(|(own, _)| own == name).map(|(_, value)| *value).collect()
    };
    let words = |name: &str| -> Vec<String> {
        let values = all(name);
        let words = values.iter().flat_map(|value| value.split(','));
        words
            .map(|word| word.trim_matches([' ', '\t']).to_ascii_lowercase())
            .filter(|word| !word.is_empty())
            .collect()
    };
    let keys = all("sec-websocket-key");
    let is_handshake = words("upgrade") == ["websocket"]
        && words("connection").iter().any(|word| word == "upgrade")
        && words("sec-websocket-version") == ["13"]
        && matches!(keys[..], [key] if !key.is_empty())
        && all("transfer-encoding").is_empty()
        && all("content-length").iter().all(|length| length.bytes().all(|b| b == b'0'));
    if head.is_websocket {
        assert!(is_handshake, "{text:?}");
    }
});
