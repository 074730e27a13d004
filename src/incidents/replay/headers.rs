//! Which recorded headers are sent again.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};

use super::{Substitute, substitute, substituted};
use crate::incidents::redact::MASK;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers of one connection, and those that are made anew for each request.
const MADE_ANEW: [HeaderName; 10] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers that are sent again, and the names of those that were not kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) headers: HeaderMap,
    pub(super) left_out: Vec<String>,
}

/// The headers as the guard got them.
pub(super) fn of(recorded: &[(String, String)], substitutes: &mut Vec<Substitute>) -> Kept {
    let mut kept = Kept::default();
    for (name, value) in recorded {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if MADE_ANEW.contains(&header) {
            continue;
        }
        if value == MASK {
            kept.left_out.push(name.clone());
            continue;
        }
        let place = format!("header {name}");
        let value = substituted(&place, value, substitute::text(value), substitutes);
        let value = if header == VIA || header == FORWARDED_FOR {
            match value.rsplit_once(',') {
                Some((before, _)) => before.trim_end().to_owned(),
                None => continue,
            }
        } else {
            value
        };
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            kept.headers.append(header, value);
        }
    }
    kept.left_out.sort();
    kept.left_out.dedup();
    kept
}

/// Whether a body under these headers is Twilio's kind of form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}
