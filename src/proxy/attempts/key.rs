//! What makes two requests attempts of one.

use http::header::{AUTHORIZATION, HOST, HeaderName};
use sha2::{Digest as _, Sha256};

use crate::proxy::asked::Asked;

/// Twilio's mark of all attempts of one request (Twilio docs, connection overrides).
const TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Hash of everything that must be the same.
pub(super) type Key = [u8; 32];

/// The key of a request; `None` where nothing marks its attempts.
///
/// Beside token, method, target and body it holds the credentials: a request that was refused
/// without them and comes again with them is another one, and so is one with another signature.
pub(super) fn of(asked: &Asked) -> Option<Key> {
    let headers = &asked.parts.headers;
    let token = headers.get(TOKEN).filter(|token| !token.is_empty())?;
    let body = asked.body.as_ref().ok()?;
    let target = asked.parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let body: [u8; 32] = Sha256::digest(body).into();
    let mut hasher = Sha256::new();
    let mut add = |part: &[u8]| {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    };
    add(token.as_bytes());
    add(asked.parts.method.as_str().as_bytes());
    add(target.as_bytes());
    add(&body);
    for name in [HOST, AUTHORIZATION, SIGNATURE] {
        add(headers.get(name).map_or(&[], |value| value.as_bytes()));
    }
    Some(hasher.finalize().into())
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

    fn asked(request: http::request::Builder, body: &'static str) -> Asked {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let held = Arc::new(Room::new(0, instruments().unwrap()).share());
        let sender = Peer { ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), is_tls: false }
            .sender(Version::HTTP_11);
        let check = Check::Done(Checked::default());
        Asked::new(parts, Ok(Bytes::from(body)), held, sender, Instant::now(), check)
    }

    #[test]
    fn only_the_same_request_has_the_same_key() {
        let request = |method, target: &str, token| {
            Request::builder().method(method).uri(target).header(TOKEN, token)
        };
        let base = of(&asked(request("POST", "/a?x=1", "t"), "b=1")).unwrap();
        assert_eq!(of(&asked(request("POST", "/a?x=1", "t"), "b=1")), Some(base));
        let others = [
            asked(request("GET", "/a?x=1", "t"), "b=1"),
            asked(request("POST", "/a?x=2", "t"), "b=1"),
            asked(request("POST", "/a?x=1", "u"), "b=1"),
            asked(request("POST", "/a?x=1", "t"), "b=2"),
            asked(request("POST", "/a?x=1", "t").header(AUTHORIZATION, "Basic eA=="), "b=1"),
            asked(request("POST", "/a?x=1", "t").header(SIGNATURE, "x"), "b=1"),
            asked(request("POST", "/a?x=1", "t").header(HOST, "x"), "b=1"),
        ];
        for other in others {
            assert_ne!(of(&other).unwrap(), base, "{other:?}");
        }
    }

    #[test]
    fn without_a_token_nothing_is_an_attempt_of_another() {
        assert_eq!(of(&asked(Request::post("/a"), "b=1")), None);
        assert_eq!(of(&asked(Request::post("/a").header(TOKEN, ""), "b=1")), None);
    }
}
