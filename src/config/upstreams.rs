//! A route's backends: one, or several of which each can answer.

use std::sync::Arc;
use std::time::Duration;

use super::Upstream;
use super::error::ConfigError;
use super::layers::{Entries, Entry, Layers};
use super::listeners::mistake;
use super::resolve::Values;
use crate::config::error::Origin;

/// Which of several backends is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// The first one that answers.
    #[default]
    Order,
    /// Each in its turn.
    RoundRobin,
}

impl Balance {
    fn named(word: &str) -> Self {
        if word == "round-robin" { Self::RoundRobin } else { Self::Order }
    }
}

/// One or more backends. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstreams {
    first: Upstream,
    all: Arc<[Upstream]>,
    balance: Balance,
}

impl Upstreams {
    /// One backend.
    pub fn one(upstream: Upstream) -> Self {
        Self { all: Arc::from([upstream.clone()]), first: upstream, balance: Balance::Order }
    }

    /// Several; `None`: there is none among them.
    pub fn several(all: Vec<Upstream>, balance: Balance) -> Option<Self> {
        let first = all.first()?.clone();
        Some(Self { first, all: all.into(), balance })
    }

    /// The first one.
    pub fn first(&self) -> &Upstream {
        &self.first
    }

    /// All of them, in their order; never empty.
    pub fn all(&self) -> &[Upstream] {
        &self.all
    }

    /// Which of them is asked.
    pub fn balance(&self) -> Balance {
        self.balance
    }
}

/// How patient the guard is with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No answer at all for so long while a webhook waits opens the breaker.
    pub silence: Duration,
    /// What an open breaker leaves of a webhook's wait.
    pub short_wait: Duration,
    /// So many failures in a row leave one of several backends out.
    pub failures: u32,
    /// For how long at first, doubling.
    pub first_out: Duration,
    /// For how long at most.
    pub longest_out: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(10),
            short_wait: Duration::from_secs(1),
            failures: 3,
            first_out: Duration::from_secs(5),
            longest_out: Duration::from_mins(1),
        }
    }
}

/// The backends outside routes; `None` only without a default.
pub(super) fn global(
    layers: &mut Layers,
    text: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<Upstreams> {
    let is_default = |entry: &Entry| entry.origin == Origin::Default;
    if layers.entries.contains_key("upstreams")
        && layers.entries.get("upstream").is_some_and(is_default)
    {
        layers.entries.remove("upstream");
    }
    let own = Values(&layers.entries);
    one_of_both(&layers.entries, "upstreams", text, errors);
    for (entries, _) in &layers.routes {
        one_of_both(entries, "route.upstreams", text, errors);
    }
    let balance = Balance::named(&own.text("balance")?);
    let several = own.upstreams("upstreams").and_then(|all| Upstreams::several(all, balance));
    several.or_else(|| own.upstream("upstream").map(Upstreams::one))
}

/// A route's own backends, or those of all.
pub(super) fn of_route(entries: &Entries, base: &Upstreams) -> Upstreams {
    let own = Values(entries);
    let balance = own.text("balance").map_or(base.balance, |word| Balance::named(&word));
    let several = own.upstreams("upstreams").and_then(|all| Upstreams::several(all, balance));
    several
        .or_else(|| own.upstream("upstream").map(Upstreams::one))
        .unwrap_or_else(|| Upstreams { balance, ..base.clone() })
}

/// Two keys for one thing contradict each other.
fn one_of_both(entries: &Entries, key: &str, text: &str, errors: &mut Vec<ConfigError>) {
    let (Some(one), Some(several)) = (entries.get("upstream"), entries.get("upstreams")) else {
        return;
    };
    let message =
        format!("expected `upstream` or `upstreams`, found both; the other one: {}", one.origin);
    let help = "name one backend with `upstream`, or all of them with `upstreams`";
    errors.push(mistake(key, several, text, message, help));
}
