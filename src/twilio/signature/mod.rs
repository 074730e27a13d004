//! `X-Twilio-Signature`: how Twilio signs a webhook request.
//!
//! The signature is the Base64 form of an HMAC-SHA-1 with the account's primary auth token. Signed
//! is the URL as Twilio asked for it; behind it, for a form that is posted, every parameter in the
//! byte order of the names, name and value without anything between. A body that is no form is
//! signed through the URL, whose query then carries `bodySHA256`, the body's SHA-256 in hexadecimal.
//!
//! Source: Twilio docs, "Security", and the test vectors of Twilio's helper libraries, which are
//! in `tests/data/signature-vectors.json`.

mod keyring;
mod request;
mod variants;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

pub use keyring::{Keyring, KeyringError};
pub use request::{SignedRequest, Verification};

/// The header that carries the signature.
pub const HEADER: &str = "X-Twilio-Signature";

/// The parameter of the query that carries the digest of a body that is no form.
const BODY_DIGEST: &str = "bodySHA256";

/// An account's auth token. Never shown, and wiped from memory when its last copy is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthToken(Arc<Zeroizing<String>>);

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken(***)")
    }
}

impl AuthToken {
    /// A token as the console shows it; `None` where there is nothing but blanks.
    pub fn new(token: &str) -> Option<Self> {
        let token = token.trim();
        (!token.is_empty()).then(|| Self(Arc::new(Zeroizing::new(token.to_owned()))))
    }

    /// The token itself, for whom it is meant: to be masked wherever it stands.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The signature of a form that is posted to `url`, or of a GET, which has no form.
    ///
    /// `url`: scheme to end of query, byte for byte as asked for. Parameters of the query are part
    /// of the URL and none of the form's.
    pub fn sign<'p>(
        &self,
        url: &str,
        form: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> String {
        STANDARD.encode(self.mac(url, &signed_text(form)).finalize().into_bytes())
    }

    /// The URL that a body which is no form is posted to, and the signature.
    pub fn sign_body(&self, url: &str, body: &[u8]) -> (String, String) {
        let joint = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{joint}{BODY_DIGEST}={}", digest(body));
        let signature = self.sign(&url, []);
        (url, signature)
    }

    /// Whether this is the signature of exactly this URL and form. Takes the same time whatever
    /// the signature is.
    pub fn verifies<'p>(
        &self,
        url: &str,
        form: impl IntoIterator<Item = (&'p str, &'p str)>,
        signature: &str,
    ) -> bool {
        let given = STANDARD.decode(signature.trim()).unwrap_or_default();
        self.fits(url, &signed_text(form), &given)
    }

    fn fits(&self, url: &str, form: &[u8], given: &[u8]) -> bool {
        self.mac(url, form).verify_slice(given).is_ok()
    }

    fn mac(&self, url: &str, form: &[u8]) -> Hmac<Sha1> {
        let mut mac = keyed(self.0.as_bytes());
        mac.update(url.as_bytes());
        mac.update(form);
        mac
    }
}

/// What is signed of a form behind the URL.
fn signed_text<'p>(form: impl IntoIterator<Item = (&'p str, &'p str)>) -> Vec<u8> {
    let mut pairs: Vec<(&str, &str)> = form.into_iter().collect();
    pairs.sort_unstable();
    // A value that is repeated counts once.
    pairs.dedup();
    let length = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let mut text = Vec::with_capacity(length);
    for (name, value) in pairs {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    text
}

/// Keys of any length are keys of an HMAC: longer than a block, their digest takes their place.
fn keyed(token: &[u8]) -> Hmac<Sha1> {
    const BLOCK: usize = 64;
    let mut key = [0; BLOCK];
    if let Some(place) = key.get_mut(..token.len()) {
        place.copy_from_slice(token);
    } else {
        let digest = Sha1::digest(token);
        for (place, byte) in key.iter_mut().zip(digest) {
            *place = byte;
        }
    }
    Hmac::new(&key.into())
}

/// SHA-256 in hexadecimal.
fn digest(body: &[u8]) -> String {
    use fmt::Write as _;
    Sha256::digest(body).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/data/signature-vectors.json")).unwrap()
    }

    fn token() -> AuthToken {
        AuthToken::new(vectors()["token"].as_str().unwrap()).unwrap()
    }

    fn form(vector: &Value) -> Vec<(String, String)> {
        let mut form = Vec::new();
        for (name, value) in vector["params"].as_object().into_iter().flatten() {
            let values = match value {
                Value::Array(values) => values.clone(),
                one => vec![one.clone()],
            };
            for value in values {
                form.push((name.clone(), value.as_str().unwrap_or_default().to_owned()));
            }
        }
        form
    }

    fn pairs(form: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> + Clone {
        form.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[test]
    fn every_vector_of_twilios_libraries_is_signed_alike() {
        let all = vectors();
        let vectors = all["vectors"].as_array().unwrap();
        assert!(vectors.len() > 30, "{}", vectors.len());
        for vector in vectors {
            let url = vector["signed_url"].as_str().unwrap();
            let form = form(vector);
            let expected = vector["expected"].as_str().unwrap();
            assert_eq!(token().sign(url, pairs(&form)), expected, "{}", vector["name"]);
            assert!(token().verifies(url, pairs(&form), expected), "{}", vector["name"]);
            let other = AuthToken::new("54321").unwrap();
            assert!(!other.verifies(url, pairs(&form), expected), "{}", vector["name"]);
        }
    }

    #[test]
    fn what_this_token_did_not_sign_is_refused() {
        let all = vectors();
        let basic = form(&all["vectors"][0]);
        for vector in all["negative"].as_array().unwrap() {
            let url = vector["url"].as_str().unwrap();
            let signature = vector["expected"].as_str().unwrap();
            assert!(!token().verifies(url, pairs(&basic), signature), "{}", vector["why"]);
            assert!(!token().verifies(url, [], signature), "{}", vector["why"]);
        }
    }

    #[test]
    fn bodies_are_signed_through_the_url() {
        let all = vectors();
        let mut seen = 0;
        for vector in all["vectors"].as_array().unwrap() {
            let Some(body) = vector["body"].as_str() else { continue };
            seen += 1;
            let url = vector["signed_url"].as_str().unwrap();
            let bare = url.split_once("bodySHA256").unwrap().0;
            let (signed, signature) =
                token().sign_body(bare.trim_end_matches(['?', '&']), body.as_bytes());
            assert_eq!(
                (signed.as_str(), signature.as_str()),
                (url, vector["expected"].as_str().unwrap())
            );
        }
        assert!(seen >= 3, "{seen}");
    }

    #[test]
    fn a_token_is_never_shown_and_never_empty() {
        assert_eq!(AuthToken::new(" \n"), None);
        let shown = format!("{:?}", AuthToken::new("s3cr3t\n").unwrap());
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_signed_verifies_and_nothing_else_does(
            key in "[a-f0-9]{1,100}",
            url in "https://[a-z]{1,10}\\.example/[a-z/?=&%]{0,20}",
            form in prop::collection::vec(("[A-Za-z]{1,8}", ".{0,12}"), 0..6),
            garbage in ".{0,40}",
        ) {
            let token = AuthToken::new(&key).unwrap();
            let signature = token.sign(&url, pairs(&form));
            prop_assert!(token.verifies(&url, pairs(&form), &signature));
            let mut shuffled = form.clone();
            shuffled.reverse();
            prop_assert!(token.verifies(&url, pairs(&shuffled), &signature));
            prop_assert!(!token.verifies(&url, pairs(&form), &garbage));
            let mut more = form.clone();
            more.push(("Zz".to_owned(), "1".to_owned()));
            prop_assert!(form.contains(&more[more.len() - 1]) || !token.verifies(&url, pairs(&more), &signature));
        }
    }
}
