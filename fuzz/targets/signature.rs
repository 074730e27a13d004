//! Any request: its signature is checked within bounds and without a panic, what Twilio would sign is
//! genuine, and the same with one more parameter is not.
//!
//! Input: a byte of switches, the target up to a line end, header lines up to an empty line, the body.
#![no_main]

#[allow(dead_code)]
mod input;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use twiml_guard::twilio::Params;
use twiml_guard::twilio::signature::{AuthToken, Keyring, SignedRequest, Verification};

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

fuzz_target!(|data: &[u8]| {
    let Some((&switches, rest)) = data.split_first() else { return };
    let at = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    let (target, rest) = rest.split_at(at);
    let Ok(target) = std::str::from_utf8(target) else { return };
    let target = format!("/{target}");
    let (mut headers, body) = input::message(rest.get(1..).unwrap_or_default());
    let keyring = Keyring::parse("12345\nold\nAC1:sub\n").expect("a keyring");
    let origins = ["https://pbx.example.com".to_owned(), "http://inner:5000".to_owned()];
    let is_websocket = switches & 1 != 0;
    let verified = |headers: &HeaderMap, body: &[u8]| {
        SignedRequest { headers, target: &target, body, origins: &origins, is_websocket }
            .verify(&keyring)
    };
    // Whatever is there is no signature of ours.
    assert!(!matches!(verified(&headers, body), Verification::Genuine { .. }));
    for name in [SIGNATURE, CONTENT_TYPE, CONTENT_ENCODING] {
        headers.remove(name);
    }
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form_type);
    let token = AuthToken::new("12345").expect("a token");
    let url = format!("https://pbx.example.com{target}");
    let signature = token.sign(&url, Params::from_form(body).iter());
    headers.insert(SIGNATURE, HeaderValue::from_str(&signature).expect("Base64"));
    let pairs = body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()).count();
    let genuine = matches!(verified(&headers, body), Verification::Genuine { .. });
    assert_eq!(genuine, pairs <= 1_000);
    let longer = [body, b"&Zz=one-more-parameter"].concat();
    let again = verified(&headers, &longer);
    let is_repeated =
        Params::from_form(body).iter().any(|pair| pair == ("Zz", "one-more-parameter"));
    assert!(is_repeated || again == Verification::Forged);
});
