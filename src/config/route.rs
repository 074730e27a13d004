//! Routes: a path pattern and a method with their policy and upstream.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;

use super::upstreams::Upstreams;
use super::{SharedPolicy, SignatureMode, Upstream};
use crate::guard::Policy;
use crate::twilio::{Slot, SlotSetting};

/// A path pattern (and method) with its policy and its upstream.
#[derive(Debug, Clone)]
pub struct Route {
    /// The pattern as configured: the route's name in logs, metrics and records. `*` for the
    /// default route.
    pub name: String,
    /// Which paths.
    pub pattern: PathPattern,
    /// Which method; `None`: any.
    pub method: Option<Method>,
    /// What Twilio does with the answers.
    pub slot: SlotSetting,
    /// Where requests go.
    pub upstreams: Upstreams,
    /// What happens to a request that Twilio did not sign.
    pub signature: SignatureMode,
    /// What the judge may do.
    pub policy: Policies,
    /// What becomes of callbacks.
    pub callbacks: Callbacks,
    /// What is sent again when a kept connection ends under it.
    pub retry: Retry,
}

/// What is sent once more after the kept connection that it went out on ended without a byte of an
/// answer. What was never written is always sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// GET, HEAD and OPTIONS.
    #[default]
    Safe,
    /// Guarded requests with Twilio's idempotency token, too: the backend may see them twice.
    Token,
}

impl Retry {
    /// From its word in the configuration.
    pub(super) fn named(word: &str) -> Self {
        if word == "token" { Self::Token } else { Self::Safe }
    }
}

/// What becomes of callbacks that the backend fails or takes long to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Callbacks {
    /// Twilio is answered after 1 s; the running attempt goes on.
    #[default]
    Ack,
    /// They stream through.
    Pass,
    /// Twilio is answered after 1 s; the backend gets them until it takes them.
    Redeliver,
}

impl Callbacks {
    /// From its word in the configuration.
    pub(super) fn named(word: &str) -> Self {
        match word {
            "pass" => Self::Pass,
            "redeliver" => Self::Redeliver,
            _ => Self::Ack,
        }
    }
}

impl Route {
    /// Whether a request of this method and path (no query) is this route's.
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own == method) && self.pattern.matches(path)
    }

    /// Where requests go; the first where there are several.
    pub fn upstream(&self) -> &Upstream {
        self.upstreams.first()
    }

    /// Whether TLS is spoken with a backend of its own.
    pub fn speaks_tls(&self) -> bool {
        self.upstreams.all().iter().any(|upstream| upstream.tls)
    }

    /// Whether a backend serves both.
    pub fn shares_backend(&self, other: &Self) -> bool {
        let own = self.upstreams.all();
        own.iter().any(|upstream| other.upstreams.all().contains(upstream))
    }

    /// Whether Twilio opens streams on it.
    pub fn is_stream(&self) -> bool {
        self.slot == SlotSetting::Fixed(Slot::Stream)
    }

    /// Whether answers on it are judged at all, so that a mode means something.
    pub fn is_guarded(&self) -> bool {
        !matches!(self.slot, SlotSetting::Pass | SlotSetting::Fixed(Slot::Stream))
    }
}

/// Whether answers are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Repaired and replaced where they have to be.
    Enforce,
    /// Judged and recorded, delivered as they are.
    Observe,
}

impl Mode {
    /// Its name on the command line and in the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }

    fn of(policy: &Policy) -> Self {
        if policy.observe { Self::Observe } else { Self::Enforce }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The policy of a route in both modes. Which of them holds can be switched while requests run;
/// the switch is forgotten with the process.
#[derive(Debug)]
pub struct Policies {
    configured: SharedPolicy,
    /// The same in the other mode.
    other: SharedPolicy,
    is_switched: AtomicBool,
}

impl Policies {
    /// A policy, not switched.
    pub fn new(policy: Policy) -> Self {
        let other = Arc::new(Policy { observe: !policy.observe, ..policy.clone() });
        Self { configured: Arc::new(policy), other, is_switched: AtomicBool::new(false) }
    }

    /// The policy as configured.
    pub fn configured(&self) -> &SharedPolicy {
        &self.configured
    }

    /// The policy that holds now. A request asks once, so that one mode holds for all of it.
    pub fn current(&self) -> &SharedPolicy {
        if self.is_switched.load(Ordering::Relaxed) { &self.other } else { &self.configured }
    }

    /// The mode as configured.
    pub fn configured_mode(&self) -> Mode {
        Mode::of(&self.configured)
    }

    /// The mode that holds now.
    pub fn mode(&self) -> Mode {
        Mode::of(self.current())
    }

    /// From now on this mode holds; `None`: the configured one.
    pub fn switch(&self, to: Option<Mode>) {
        let is_switched = to.is_some_and(|mode| mode != self.configured_mode());
        self.is_switched.store(is_switched, Ordering::Relaxed);
    }
}

impl Clone for Policies {
    fn clone(&self) -> Self {
        Self {
            configured: Arc::clone(&self.configured),
            other: Arc::clone(&self.other),
            is_switched: AtomicBool::new(self.is_switched.load(Ordering::Relaxed)),
        }
    }
}

/// Which paths belong to a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPattern {
    /// Exactly this path.
    Exact(String),
    /// This path and everything below (`prefix/*`): stored without the `*`, with the slash.
    Prefix(String),
    /// Segments; `{name}` and `*` stand for one segment each (`/calls/{id}/menu`).
    Segments(Vec<Option<String>>),
}

impl PathPattern {
    /// Whether a path (no query) fits.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(own) => own == path,
            Self::Prefix(own) => path.starts_with(own) || own.strip_suffix('/') == Some(path),
            Self::Segments(own) => {
                let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
                own.iter().all(|part| match (part, segments.next()) {
                    (Some(text), Some(segment)) => text == segment,
                    (None, Some(segment)) => !segment.is_empty(),
                    (_, None) => false,
                }) && segments.next().is_none()
            }
        }
    }

    /// Whether every path of `other` fits this one too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(path)) => self.matches(path),
            (Self::Prefix(own), Self::Prefix(other)) => other.starts_with(own),
            (Self::Prefix(own), Self::Segments(segments)) => {
                let fixed = segments
                    .iter()
                    .map_while(Option::as_deref)
                    .fold(String::new(), |path, segment| format!("{path}/{segment}"));
                format!("{fixed}/").starts_with(own)
            }
            (Self::Segments(own), Self::Segments(other)) => {
                own.len() == other.len()
                    && own.iter().zip(other).all(|(own, other)| own.is_none() || own == other)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_changes_the_mode_and_nothing_else() {
        let configured = Policy { max_decoded_body: 7, ..Policy::default() };
        let policies = Policies::new(configured);
        let now = || {
            let policy = policies.current();
            (policies.mode(), policy.observe, policy.max_decoded_body)
        };
        assert_eq!(now(), (Mode::Enforce, false, 7));
        policies.switch(Some(Mode::Observe));
        assert_eq!(now(), (Mode::Observe, true, 7));
        assert_eq!(policies.configured_mode(), Mode::Enforce);
        policies.switch(Some(Mode::Enforce));
        assert_eq!(now(), (Mode::Enforce, false, 7));
        policies.switch(Some(Mode::Observe));
        policies.switch(None);
        assert_eq!(now(), (Mode::Enforce, false, 7));
    }

    #[test]
    fn patterns_match_what_they_say() {
        let prefix = PathPattern::Prefix("/a/".to_owned());
        assert!(
            prefix.matches("/a/b/c")
                && prefix.matches("/a/")
                && prefix.matches("/a")
                && !prefix.matches("/ab")
        );
        let segments =
            PathPattern::Segments(vec![Some("calls".to_owned()), None, Some("menu".to_owned())]);
        assert!(
            segments.matches("/calls/7/menu")
                && !segments.matches("/calls//menu")
                && !segments.matches("/calls/7/menu/x")
        );
        assert!(prefix.covers(&PathPattern::Exact("/a/x".to_owned())) && !segments.covers(&prefix));
    }
}
