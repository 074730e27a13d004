//! A head that was understood, as the message that it is.

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::super::headers::tokens;
use super::super::http1::spelt::Spelt;
use super::fault::{Fault, Reason, bad};
use super::layout::Layout;

const UNREADABLE: Fault =
    bad(Reason::Syntax, "the request line or a header has bytes that no message can carry");

/// What of a request its answer depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub(super) is_head: bool,
    pub(super) version: Version,
    /// Whether the connection is to be kept behind it.
    pub(super) keeps: bool,
    /// Whether trailers are wanted.
    pub(super) takes_trailers: bool,
}

/// Makes a message of a head, from its very bytes.
pub(super) fn parts(bytes: &Bytes, layout: Layout) -> Result<Parts, Fault> {
    let Layout { method, target, is_old, fields } = layout;
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(method.of(bytes)).map_err(|_| UNREADABLE)?;
    *request.uri_mut() = Uri::from_maybe_shared(target.shared(bytes)).map_err(|_| UNREADABLE)?;
    *request.version_mut() = if is_old { Version::HTTP_10 } else { Version::HTTP_11 };
    let mut headers = HeaderMap::with_capacity(fields.len() + SPARE_LINES);
    let mut spelt = Spelt::default();
    for (name, value) in fields {
        let written = name.of(bytes);
        let name = self::name(written).ok_or(UNREADABLE)?;
        let value = value.shared(bytes);
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| UNREADABLE)?;
        spelt.note(&headers, &name, written);
        headers.append(name, value);
    }
    *request.headers_mut() = headers;
    if !spelt.is_empty() {
        request.extensions_mut().insert(spelt);
    }
    Ok(request.into_parts().0)
}

/// Lines that the guard adds to most requests.
const SPARE_LINES: usize = 6;

/// Names that Twilio's requests have and that are no standard ones: they need no memory then.
static TWILIOS: [HeaderName; 3] = [
    HeaderName::from_static("x-twilio-signature"),
    HeaderName::from_static("i-twilio-idempotency-token"),
    HeaderName::from_static("x-home-region"),
];

fn name(written: &[u8]) -> Option<HeaderName> {
    // Each of another length.
    let is_it = |name: &&HeaderName| {
        name.as_str().len() == written.len()
            && name.as_str().as_bytes().eq_ignore_ascii_case(written)
    };
    let known = TWILIOS.iter().find(is_it).cloned();
    known.or_else(|| HeaderName::from_bytes(written).ok())
}

impl Wishes {
    /// Of what is no request.
    pub(super) const NONE: Self =
        Self { is_head: false, version: Version::HTTP_11, keeps: false, takes_trailers: false };

    pub(super) fn of(parts: &Parts) -> Self {
        let has = |name: &HeaderName, word: &str| {
            parts.headers.contains_key(name)
                && tokens(&parts.headers, name).any(|token| token.eq_ignore_ascii_case(word))
        };
        Self {
            is_head: parts.method == Method::HEAD,
            version: parts.version,
            keeps: !has(&CONNECTION, "close")
                && (parts.version == Version::HTTP_11 || has(&CONNECTION, "keep-alive")),
            takes_trailers: has(&TE, "trailers"),
        }
    }
}

/// Whether the client waits for a word before it sends the body.
pub(super) fn waits_for_word(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11
        && parts
            .headers
            .get(EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
