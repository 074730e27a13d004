//! Says once which route is missing.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method, StatusCode};

use super::headers::TWILIO_SIGNATURE;

/// Paths that are remembered; whoever asks for random paths must not fill memory or log.
const MAX_PATHS: usize = 1_000;

/// Longest path that is printed.
const MAX_PATH: usize = 512;

/// Web pages that were given to requests that look like Twilio's, once per path.
#[derive(Debug, Default)]
pub(super) struct Hints(Mutex<HashSet<String>>);

/// Whether a request that no route and no rule matched comes from Twilio by its looks.
pub(super) fn looks_like_twilio(headers: &HeaderMap) -> bool {
    headers.contains_key(TWILIO_SIGNATURE)
        || headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"TwilioProxy"))
}

/// Shortest answer that can be a page; a callback's bare acknowledgement is shorter.
const MIN_PAGE: u64 = 16;

/// Whether an answer is a web page, as far as its head tells.
pub(super) fn is_page(status: StatusCode, headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if status == StatusCode::NO_CONTENT || length.is_some_and(|length: u64| length < MIN_PAGE) {
        return false;
    }
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
    })
}

impl Hints {
    /// Logs the route to add, once per path.
    pub(super) fn page_for_webhook(&self, method: &Method, path: &str) {
        if path.len() > MAX_PATH || !self.is_new(path) {
            return;
        }
        tracing::warn!(
            http.method = %method,
            url.path = path,
            fix = format!("[[route]]\npath = {path:?}\nmethod = \"{method}\""),
            "an unguarded request that looks like Twilio's was answered with a web page; add a route"
        );
    }

    fn is_new(&self, path: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(path) || seen.len() >= MAX_PATHS {
            return false;
        }
        seen.insert(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_body_to_speak_of_is_no_page() {
        let head = |length: &'static str| {
            HeaderMap::from_iter([
                (CONTENT_TYPE, http::HeaderValue::from_static("text/html; charset=utf-8")),
                (CONTENT_LENGTH, http::HeaderValue::from_static(length)),
            ])
        };
        assert!(is_page(StatusCode::NOT_FOUND, &head("207")));
        assert!(!is_page(StatusCode::OK, &head("2")));
        let mut empty = head("0");
        empty.remove(CONTENT_LENGTH);
        assert!(!is_page(StatusCode::NO_CONTENT, &empty));
        assert!(is_page(StatusCode::OK, &empty));
    }

    #[test]
    fn each_path_is_new_once_and_their_number_is_bounded() {
        let hints = Hints::default();
        assert!(hints.is_new("/voice"));
        assert!(!hints.is_new("/voice"));
        for n in 1..MAX_PATHS {
            assert!(hints.is_new(&format!("/{n}")));
        }
        assert!(!hints.is_new("/one-more"));
    }
}
