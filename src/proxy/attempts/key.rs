//! What makes two requests attempts of one.

use std::hash::{BuildHasher as _, RandomState};

use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST, HeaderName};

use crate::proxy::asked::Asked;

/// Twilio's mark of all attempts of one request (Twilio docs, connection overrides).
const TOKEN: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Stands for everything that must be the same. Who does not know what [`Keys`] were drawn cannot
/// find two requests of one key; by chance, one pair in 2^128 has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64);

/// What keys are made with, drawn anew by every process.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Keys {
    sip: RandomState,
    fold: foldhash::quality::RandomState,
}

impl Keys {
    /// The key of a request; `None` where nothing marks its attempts.
    ///
    /// Beside token, method, target and body it holds the credentials: a request that was refused
    /// without them and comes again with them is another one, and so is one with another signature.
    pub(super) fn of(&self, asked: &Asked) -> Option<Key> {
        let headers = &asked.parts.headers;
        let token = headers.get(TOKEN).filter(|token| !token.is_empty())?;
        let body = asked.body.as_ref().ok()?;
        let target = asked.parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let header = |name: HeaderName| headers.get(name).map_or(&[][..], HeaderValue::as_bytes);
        let method = asked.parts.method.as_str();
        let (host, authorization) = (header(HOST), header(AUTHORIZATION));
        Some(self.joined(&[
            token.as_bytes(),
            method.as_bytes(),
            target.as_bytes(),
            body,
            host,
            authorization,
            header(SIGNATURE),
        ]))
    }

    /// The lengths are hashed with the parts.
    fn joined(&self, parts: &[&[u8]]) -> Key {
        Key(self.sip.hash_one(parts), self.fold.hash_one(parts))
    }

    /// The key of a number.
    #[cfg(test)]
    pub(super) fn numbered(&self, n: usize) -> Key {
        self.joined(&[&n.to_be_bytes()])
    }
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
        let keys = Keys::default();
        for length in [0, 4096] {
            let body = |end| format!("a={}{end}", "x".repeat(length));
            let base = keys.of(&asked(request("POST", "/a?x=1", "t"), body(1))).unwrap();
            assert_eq!(keys.of(&asked(request("POST", "/a?x=1", "t"), body(1))), Some(base));
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
                let other = keys.of(&other).unwrap();
                // Neither half alone would do.
                assert!(other.0 != base.0 && other.1 != base.1, "{other:?}");
            }
        }
    }

    #[test]
    fn without_a_token_nothing_is_an_attempt_of_another() {
        let keys = Keys::default();
        assert_eq!(keys.of(&asked(Request::post("/a"), "b=1")), None);
        assert_eq!(keys.of(&asked(Request::post("/a").header(TOKEN, ""), "b=1")), None);
    }
}
