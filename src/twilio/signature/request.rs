//! Whether a request as it came was signed by Twilio.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};

use super::{AuthToken, BODY_DIGEST, Keyring, digest, signed_text, variants};
use crate::twilio::Params;
use crate::twilio::params::MAX_PARAMS;

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Bytes that are signed at most for one request, all tokens and URLs together: a large form is
/// tried with fewer URLs.
const MAX_WORK: usize = 16 * 1024 * 1024;

/// URLs that are tried however large the form is.
const FEWEST_URLS: usize = 4;

/// A request as it came, read whole.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'r> {
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// Path and query, byte for byte.
    pub target: &'r str,
    /// Its body.
    pub body: &'r [u8],
    /// Scheme and authority under which it may have been asked for, the most likely first:
    /// `https://pbx.example.com`.
    pub origins: &'r [String],
    /// Whether it wants to become a WebSocket.
    pub is_websocket: bool,
}

/// What the signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification<'k> {
    /// Twilio signed it.
    Genuine {
        /// The URL that it signed.
        url: String,
        /// The token that it signed with.
        token: &'k AuthToken,
    },
    /// There is no signature.
    Unsigned,
    /// The signature is not Twilio's, or does not cover all that a backend would read.
    Forged,
}

impl SignedRequest<'_> {
    /// Checks the signature with every token that its account may have, over every URL that Twilio
    /// may have signed. Does the same work whichever fits, and whether one does.
    ///
    /// A parameter that is repeated counts with each of its distinct values. Validators that take
    /// but one value of each name are not followed: a request that was overheard could be sent
    /// again with a second value that nobody signed.
    pub fn verify<'k>(&self, keyring: &'k Keyring) -> Verification<'k> {
        let mut signatures = self.headers.get_all(SIGNATURE).iter();
        let Some(signature) = signatures.next() else { return Verification::Unsigned };
        let is_one = signatures.next().is_none();
        let given = STANDARD.decode(signature.as_bytes().trim_ascii()).unwrap_or_default();
        let Some(form) = self.signed_form().filter(|_| is_one) else {
            return Verification::Forged;
        };
        let account = form.get("AccountSid").map(str::to_owned).or_else(|| self.account_of_query());
        let tokens = keyring.of(account.as_deref());
        let urls = self.urls(tokens.len());
        let form = signed_text(form.iter());
        let mut found = None;
        for token in tokens {
            for url in &urls {
                if token.fits(url, &form, &given) {
                    found = found.or(Some((url, token)));
                }
            }
        }
        match found {
            Some((url, token)) => Verification::Genuine { url: url.clone(), token },
            None => Verification::Forged,
        }
    }

    /// The parameters that are signed beside the URL; `None` where something of the body is not
    /// covered by any signature of Twilio's.
    fn signed_form(&self) -> Option<Params> {
        if self.body.is_empty() {
            return Some(Params::default());
        }
        if self.headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let mut types = self.headers.get_all(CONTENT_TYPE).iter();
        let content_type = types.next().map_or(&b""[..], |value| value.as_bytes());
        if types.next().is_some() {
            return None;
        }
        let essence = content_type.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            // What is read of a form is what is signed of it: all, or it counts for nothing.
            let pairs = self.body.split(|&b| b == b'&').filter(|pair| !pair.is_empty()).count();
            return (pairs <= MAX_PARAMS).then(|| Params::from_form(self.body));
        }
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let announced = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(name, value)| (name == BODY_DIGEST).then_some(value))?;
        // The digest is in the URL for everybody to see: no secret is compared here.
        announced.eq_ignore_ascii_case(&digest(self.body)).then(Params::default)
    }

    fn account_of_query(&self) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        Params::from_form(query.as_bytes()).get("AccountSid").map(str::to_owned)
    }

    fn urls(&self, tokens: usize) -> Vec<String> {
        let userinfo = self.userinfo();
        let mut urls = variants::urls(self.origins, &userinfo, self.target, self.is_websocket);
        let each = (self.body.len() + self.target.len() + 1) * tokens.max(1);
        urls.truncate((MAX_WORK / each).max(FEWEST_URLS));
        urls
    }

    /// The credentials that stood in the URL, in the spellings that it may have had: Twilio sends
    /// them as an `Authorization` header.
    fn userinfo(&self) -> Vec<String> {
        let basic = self.headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
            if !scheme.eq_ignore_ascii_case("basic") {
                return None;
            }
            String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()
        });
        let Some(basic) = basic else { return Vec::new() };
        let (user, password) = basic.split_once(':').unwrap_or((&basic, ""));
        let encode = crate::twilio::params::encode;
        let mut all = vec![basic.clone(), format!("{}:{}", encode(user), encode(password))];
        if password.is_empty() {
            all.push(user.to_owned());
        }
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::twilio::params::form;

    const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

    /// A request as a test writes it.
    struct Made {
        headers: HeaderMap,
        target: String,
        body: Vec<u8>,
        origin: String,
        is_websocket: bool,
    }

    impl Made {
        fn new(origin: &str, target: &str, content_type: &str, body: &[u8]) -> Self {
            let mut headers = HeaderMap::new();
            if !content_type.is_empty() {
                headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            }
            let (origin, target, body) = (origin.to_owned(), target.to_owned(), body.to_vec());
            Self { headers, target, body, origin, is_websocket: false }
        }

        fn with(mut self, name: HeaderName, value: &str) -> Self {
            self.headers.append(name, value.parse().unwrap());
            self
        }

        fn signed(self, signature: &str) -> Self {
            self.with(SIGNATURE, signature)
        }

        fn result(&self, keyring: &Keyring) -> String {
            let origins = [self.origin.clone()];
            let request = SignedRequest {
                headers: &self.headers,
                target: &self.target,
                body: &self.body,
                origins: &origins,
                is_websocket: self.is_websocket,
            };
            match request.verify(keyring) {
                Verification::Genuine { url, .. } => url,
                Verification::Unsigned => "unsigned".to_owned(),
                Verification::Forged => "forged".to_owned(),
            }
        }
    }

    fn keyring() -> Keyring {
        Keyring::parse("12345").unwrap()
    }

    fn token() -> AuthToken {
        AuthToken::new("12345").unwrap()
    }

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../tests/data/signature-vectors.json")).unwrap()
    }

    /// The request that a vector's URL and parameters come as: credentials as a header, the path as
    /// HTTP has it.
    fn of_vector(vector: &Value, url: &str) -> Made {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let wire: String = format!("/{path}")
            .bytes()
            .map(|b| if b.is_ascii() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect();
        let pairs: Vec<(String, String)> = vector["params"]
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(name, value)| {
                let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                values.into_iter().map(|value| (name.clone(), value.as_str().unwrap().to_owned()))
            })
            .collect();
        let body = match vector["body"].as_str() {
            Some(json) => json.to_owned(),
            None => form(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        };
        let content_type = if vector["body"].is_string() { "application/json" } else { FORM };
        let made = Made::new(&format!("{scheme}://{host}"), &wire, content_type, body.as_bytes());
        if user.is_empty() {
            return made;
        }
        let credentials = if user.contains(':') { user.to_owned() } else { format!("{user}:") };
        made.with(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(credentials)))
    }

    #[test]
    fn every_vector_verifies_as_the_request_that_it_comes_as() {
        let all = vectors();
        for vector in all["vectors"].as_array().unwrap() {
            let url = vector["signed_url"].as_str().unwrap();
            let signature = vector["expected"].as_str().unwrap();
            let made = || of_vector(vector, url).signed(signature);
            assert_eq!(made().result(&keyring()), url, "{}", vector["name"]);
            let stranger = Keyring::parse("54321").unwrap();
            assert_eq!(made().result(&stranger), "forged", "{}", vector["name"]);
            let mut changed = made();
            changed.body.extend_from_slice(b"&Digits=9");
            assert_eq!(changed.result(&keyring()), "forged", "{}", vector["name"]);
            assert_eq!(of_vector(vector, url).result(&keyring()), "unsigned");
        }
    }

    #[test]
    fn negative_vectors_are_refused_as_requests() {
        let all = vectors();
        let negative = all["negative"].as_array().unwrap();
        assert!(negative.len() >= 3);
        for vector in negative {
            let (url, signature) =
                (vector["url"].as_str().unwrap(), vector["expected"].as_str().unwrap());
            for params in [&all["vectors"][0], &Value::Null] {
                let made = of_vector(params, url).signed(signature);
                assert_eq!(made.result(&keyring()), "forged", "{}", vector["why"]);
            }
        }
    }

    #[test]
    fn what_the_signature_does_not_cover_is_forged() {
        let url = "https://a/voice";
        let signature = token().sign(url, []);
        let made = |content_type: &str, body: &[u8]| {
            Made::new("https://a", "/voice", content_type, body).signed(&signature)
        };
        assert_eq!(made("", b"").result(&keyring()), url);
        for content_type in
            ["", "text/plain", "multipart/form-data; boundary=x", "application/json"]
        {
            assert_eq!(
                made(content_type, b"Digits=1").result(&keyring()),
                "forged",
                "{content_type}"
            );
        }
        let twice = made(FORM, b"").with(SIGNATURE, "x");
        assert_eq!(twice.result(&keyring()), "forged");
        let signature = token().sign(url, [("A", "1")]);
        let made = |body: &[u8]| Made::new("https://a", "/voice", FORM, body).signed(&signature);
        assert_eq!(made(b"A=1").result(&keyring()), url);
        assert_eq!(made(b"A=1").with(CONTENT_TYPE, "text/plain").result(&keyring()), "forged");
        assert_eq!(made(b"A=1").with(CONTENT_ENCODING, "gzip").result(&keyring()), "forged");
        assert_eq!(made(b"A=1&A=2").result(&keyring()), "forged");
        // More parameters than are read.
        let mut padded = "A=1&".repeat(MAX_PARAMS).into_bytes();
        padded.extend_from_slice(b"Digits=9");
        assert_eq!(made(&padded).result(&keyring()), "forged");
    }

    #[test]
    fn an_accounts_own_token_counts_for_that_account() {
        let sub = "AC11111111111111111111111111111111";
        let keyring = Keyring::parse(&format!("12345\n{sub}:of-sub\nACx:of-x")).unwrap();
        let of = |token: &str, account: &str| {
            let token = AuthToken::new(token).unwrap();
            let body = format!("AccountSid={account}");
            let signature = token.sign("https://a/v", [("AccountSid", account)]);
            Made::new("https://a", "/v", FORM, body.as_bytes()).signed(&signature).result(&keyring)
        };
        assert_eq!(of("of-sub", sub), "https://a/v");
        assert_eq!(of("12345", sub), "https://a/v");
        assert_eq!(of("of-x", sub), "forged");
        assert_eq!(of("12345", "ACunknown"), "https://a/v");
        let mut socket = Made::new("https://a", "/ws", "", b"")
            .signed(&AuthToken::new("of-x").unwrap().sign("wss://a/ws", []));
        assert_eq!(socket.result(&keyring), "forged");
        socket.is_websocket = true;
        assert_eq!(socket.result(&keyring), "wss://a/ws");
    }

    #[test]
    fn a_large_form_costs_no_more_than_it_may() {
        let body = format!("A={}", "x".repeat(1024 * 1024));
        let value = &body[2..];
        let signature = token().sign("https://a/v", [("A", value)]);
        let made = Made::new("https://a", "/v", FORM, body.as_bytes())
            .with(AUTHORIZATION, &format!("Basic {}", STANDARD.encode("u:p")))
            .signed(&signature);
        assert_eq!(made.result(&keyring()), "https://a/v");
        let origins: Vec<_> = (0..30).map(|n| format!("https://h{n}")).collect();
        let request = SignedRequest {
            headers: &made.headers,
            target: "/v",
            body: body.as_bytes(),
            origins: &origins,
            is_websocket: false,
        };
        assert!(request.urls(1).len() <= 16 && request.urls(66).len() == FEWEST_URLS);
    }

    proptest! {
        #[test]
        fn what_twilio_signs_is_genuine_and_a_change_is_not(
            key in "[a-f0-9]{1,100}",
            path in "/[a-z/%2é'. ]{0,20}",
            query in "([?][a-zA-Z=&+%2']{0,20})?",
            pairs in prop::collection::vec(("[A-Za-z]{1,8}", ".{0,12}"), 1..6),
            at in 0usize..6,
        ) {
            let token = AuthToken::new(&key).unwrap();
            let keyring = Keyring::parse(&key).unwrap();
            let target = format!("{path}{query}");
            let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let signature = token.sign(&format!("https://a{target}"), pairs.iter().copied());
            let made = |pairs: &[(&str, &str)], target: &str| {
                let body = form(pairs.iter().copied());
                Made::new("https://a", target, FORM, body.as_bytes()).signed(&signature)
            };
            let wire: String = target.bytes().map(|b| {
                if b.is_ascii() { char::from(b).to_string() } else { format!("%{b:02X}") }
            }).collect();
            prop_assert_ne!(made(&pairs, &wire).result(&keyring), "forged");
            let mut reversed = pairs.clone();
            reversed.reverse();
            prop_assert_ne!(made(&reversed, &wire).result(&keyring), "forged");
            let at = at % pairs.len();
            let value = format!("{}x", pairs[at].1);
            let mut changed = pairs.clone();
            changed[at].1 = &value;
            if !pairs.contains(&changed[at]) {
                prop_assert_eq!(made(&changed, &wire).result(&keyring), "forged");
            }
            prop_assert_eq!(made(&pairs, &format!("{wire}x")).result(&keyring), "forged");
        }
    }
}
