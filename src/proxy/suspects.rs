//! Tells of requests that Twilio did not sign: once a minute for each path.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::request::Parts;

/// How long a path is not told of again.
const QUIET: Duration = Duration::from_mins(1);

/// Paths that are told apart; whoever asks for random paths must not fill memory or log.
const MAX_PATHS: usize = 64;

/// Longest path that is told apart and printed.
const MAX_PATH: usize = 256;

/// When each path was last told of, and how many requests there were since.
#[derive(Debug, Default)]
pub(super) struct Suspects(Mutex<HashMap<String, (Instant, u64)>>);

impl Suspects {
    /// Logs what was found of a request, unless its path was told of a moment ago.
    pub(super) fn tell(&self, parts: &Parts, peer: IpAddr, found: &'static str, is_refused: bool) {
        let path: String = parts.uri.path().chars().take(MAX_PATH).collect();
        let Some(unsaid) = self.unsaid(&path, Instant::now()) else { return };
        let message = if is_refused {
            "a request that Twilio did not sign was refused"
        } else {
            "a request that Twilio did not sign"
        };
        tracing::warn!(
            http.method = %parts.method,
            url.path = path,
            client.address = %peer,
            found,
            more = (unsaid > 0).then_some(unsaid),
            fix = "if it is Twilio's: public_url (or Host) has to be what Twilio's console says, and the auth token the primary one of that account",
            "{message}"
        );
    }

    /// How many requests there were on this path since it was last told of; `None` where it is not
    /// to be told of now.
    fn unsaid(&self, path: &str, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((told, unsaid)) = seen.get_mut(path) {
            if now.duration_since(*told) < QUIET {
                *unsaid += 1;
                return None;
            }
            *told = now;
            return Some(std::mem::take(unsaid));
        }
        if seen.len() >= MAX_PATHS {
            seen.retain(|_, (told, _)| now.duration_since(*told) < QUIET);
        }
        if seen.len() >= MAX_PATHS {
            return None;
        }
        seen.insert(path.to_owned(), (now, 0));
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_told_of_once_a_minute_and_their_number_is_bounded() {
        let (suspects, now) = (Suspects::default(), Instant::now());
        assert_eq!(suspects.unsaid("/voice", now), Some(0));
        assert_eq!(suspects.unsaid("/voice", now), None);
        assert_eq!(suspects.unsaid("/voice", now + QUIET), Some(1));
        for n in 1..MAX_PATHS {
            assert_eq!(suspects.unsaid(&format!("/{n}"), now + QUIET), Some(0));
        }
        assert_eq!(suspects.unsaid("/one-more", now + QUIET), None);
        assert_eq!(suspects.unsaid("/one-more", now + 2 * QUIET), Some(0));
    }
}
