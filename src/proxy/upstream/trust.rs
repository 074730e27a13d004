//! Whether a backend keeps idle connections open: seen before it is believed.
//!
//! A request that is on its way while the backend closes its connection is lost, and nobody knows
//! whether it ran. A request that may be sent twice is sent again then; a webhook is not. So a
//! webhook uses a kept connection only where the backend was seen to leave one open for as long as
//! webhooks use them.

use std::time::{Duration, Instant};

/// How long a connection has to stay open without a request for its backend to be believed.
pub(super) const PROOF: Duration = Duration::from_secs(1);

/// How long nothing is kept for a backend that closed a connection which it had left open.
const DISTRUST: Duration = Duration::from_mins(1);

/// What is known of a backend's idle connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Trust {
    /// Nothing yet.
    #[default]
    Unproven,
    /// One stayed open for long enough.
    Proven,
    /// One was closed at once, or under a request.
    Distrusted {
        /// Until when nothing is kept.
        until: Instant,
    },
}

impl Trust {
    /// Whether connections are kept at all.
    pub(super) fn keeps(&mut self, now: Instant) -> bool {
        if let Self::Distrusted { until } = *self {
            if now < until {
                return false;
            }
            *self = Self::Unproven;
        }
        true
    }

    /// Whether kept connections are used for what must not be sent twice.
    pub(super) fn is_proven(&self) -> bool {
        *self == Self::Proven
    }

    /// A connection is still open after it was idle for so long.
    pub(super) fn survived(&mut self, idle: Duration) {
        if *self == Self::Unproven && idle >= PROOF {
            *self = Self::Proven;
        }
    }

    /// The backend closed a connection that it should have kept.
    pub(super) fn surprised(&mut self, now: Instant) {
        *self = Self::Distrusted { until: now + DISTRUST };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_believed_once_it_was_seen_to_keep_a_connection() {
        let (mut trust, now) = (Trust::default(), Instant::now());
        assert!(trust.keeps(now) && !trust.is_proven());
        trust.survived(PROOF / 2);
        assert!(!trust.is_proven());
        trust.survived(PROOF);
        assert!(trust.is_proven());
        trust.surprised(now);
        assert!(!trust.keeps(now) && !trust.is_proven());
        trust.survived(PROOF * 9);
        assert!(!trust.is_proven(), "what stayed open before says nothing any more");
        assert!(trust.keeps(now + DISTRUST) && !trust.is_proven());
    }
}
