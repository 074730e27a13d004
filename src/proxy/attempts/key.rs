//! What makes two requests attempts of one.

use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST, HeaderName};
use sha2::{Digest as _, Sha256};

use crate::proxy::asked::Asked;

/// Twilio's mark of all attempts of one request (Twilio docs, connection overrides).
const TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Everything that must be the same, its length before each part; of what is longer than
/// [`LONGEST`], its SHA-256, which is shorter than any text of all parts.
pub(super) type Key = Vec<u8>;

/// Longest key that is kept as it is. A form of Twilio's has about 500 bytes, its head 200.
const LONGEST: usize = 2 * 1024;

/// The key of a request; `None` where nothing marks its attempts.
///
/// Beside token, method, target and body it holds the credentials: a request that was refused
/// without them and comes again with them is another one, and so is one with another signature.
pub(super) fn of(asked: &Asked) -> Option<Key> {
    let headers = &asked.parts.headers;
    let token = headers.get(TOKEN).filter(|token| !token.is_empty())?;
    let body = asked.body.as_ref().ok()?;
    let target = asked.parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let header = |name: HeaderName| headers.get(name).map_or(&[][..], HeaderValue::as_bytes);
    let method = asked.parts.method.as_str();
    let (host, authorization, signature) = (header(HOST), header(AUTHORIZATION), header(SIGNATURE));
    Some(joined([
        token.as_bytes(),
        method.as_bytes(),
        target.as_bytes(),
        body,
        host,
        authorization,
        signature,
    ]))
}

fn joined<const N: usize>(parts: [&[u8]; N]) -> Key {
    let length = parts.iter().map(|part| size_of::<usize>() + part.len()).sum();
    if length > LONGEST {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        }
        return hasher.finalize().to_vec();
    }
    let mut key = Vec::with_capacity(length);
    for part in parts {
        key.extend_from_slice(&part.len().to_be_bytes());
        key.extend_from_slice(part);
    }
    key
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::Instant;

    use bytes::Bytes;
    use http::{Request, Version};

    use super::*;
    use crate::incidents::instruments;
    use crate::proxy::authenticate::{Check, Checked};
    use crate::proxy::headers::Peer;
    use crate::proxy::room::Room;

    fn asked(request: http::request::Builder, body: impl Into<Bytes>) -> Asked {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let held = Arc::new(Room::new(0, instruments().unwrap()).share());
        let sender = Peer { ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), is_tls: false }
            .sender(Version::HTTP_11);
        let check = Check::Done(Checked::default());
        Asked::new(parts, Ok(body.into()), held, sender, Instant::now(), check)
    }

    #[test]
    fn only_the_same_request_has_the_same_key() {
        let request = |method, target: &str, token| {
            Request::builder().method(method).uri(target).header(TOKEN, token)
        };
        for length in [0, LONGEST] {
            let body = |end| format!("a={}{end}", "x".repeat(length));
            let base = of(&asked(request("POST", "/a?x=1", "t"), body(1))).unwrap();
            assert!(base.len() <= LONGEST);
            let same = of(&asked(request("POST", "/a?x=1", "t"), body(1)));
            assert_eq!(same.as_ref(), Some(&base));
            let others = [
                asked(request("GET", "/a?x=1", "t"), body(1)),
                asked(request("POST", "/a?x=2", "t"), body(1)),
                asked(request("POST", "/a?x=1", "u"), body(1)),
                asked(request("POST", "/a?x=1", "t"), body(2)),
                asked(request("POST", "/a?x=1", "t").header(AUTHORIZATION, "Basic eA=="), body(1)),
                asked(request("POST", "/a?x=1", "t").header(SIGNATURE, "x"), body(1)),
                asked(request("POST", "/a?x=1", "t").header(HOST, "x"), body(1)),
                // The end of one part is never the start of the next.
                asked(request("OST", "/a?x=1", "tP"), body(1)),
                asked(request("POST", "/a?x=", "t"), format!("1{}", body(1))),
            ];
            for other in others {
                assert_ne!(of(&other).unwrap(), base, "{other:?}");
            }
        }
    }

    #[test]
    fn without_a_token_nothing_is_an_attempt_of_another() {
        assert_eq!(of(&asked(Request::post("/a"), "b=1")), None);
        assert_eq!(of(&asked(Request::post("/a").header(TOKEN, ""), "b=1")), None);
    }
}
