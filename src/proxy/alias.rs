//! Aliases: what the backend is asked in place of the path that Twilio asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::request::Parts;
use http::uri::PathAndQuery;

use crate::config::Config;
use crate::config::alias::Alias;

/// How often a wrong URL at Twilio is told of.
const QUIET: Duration = Duration::from_mins(1);

/// What the backend is asked instead; kept with a request whose own target stays what Twilio asked
/// and signed.
#[derive(Debug, Clone)]
pub(super) struct Mapped(pub(super) PathAndQuery);

/// When each alias was last told of, by its `from`.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashMap<String, Instant>>);

/// Notes with a request what the backend is asked in place of its path, if that is an alias.
pub(super) fn map(config: &Config, told: &Told, parts: &mut Parts) {
    let path = parts.uri.path();
    let mapped = config.aliases.iter().find_map(|alias| Some((alias, alias.mapped(path)?)));
    let Some((alias, mut target)) = mapped else { return };
    if let Some(query) = parts.uri.query() {
        target = format!("{target}?{query}");
    }
    let Ok(target) = PathAndQuery::try_from(target) else { return };
    told.tell(alias, Instant::now());
    parts.extensions.insert(Mapped(target));
}

/// The path at the backend, by which a request's route is found.
pub(super) fn path(parts: &Parts) -> &str {
    parts.extensions.get::<Mapped>().map_or(parts.uri.path(), |mapped| mapped.0.path())
}

/// Path and query that the backend is asked, raw; the only part of a request's target that goes on.
pub(super) fn target(parts: &Parts) -> PathAndQuery {
    let own = || parts.uri.path_and_query().cloned();
    let mapped = parts.extensions.get::<Mapped>().map(|mapped| mapped.0.clone());
    mapped.or_else(own).unwrap_or_else(|| PathAndQuery::from_static("/"))
}

impl Told {
    fn tell(&self, alias: &Alias, now: Instant) {
        if self.is_due(&alias.from, now) {
            tracing::info!(
                alias.from = alias.from,
                alias.to = alias.to,
                "a request came for an alias; the console's URL should be changed"
            );
        }
    }

    fn is_due(&self, from: &str, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.get(from).is_none_or(|last| now.duration_since(*last) >= QUIET);
        if is_due {
            last.insert(from.to_owned(), now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alias_is_told_of_once_a_minute() {
        let (told, start) = (Told::default(), Instant::now());
        assert!(told.is_due("/a", start) && told.is_due("/b", start));
        assert!(!told.is_due("/a", start + Duration::from_secs(59)));
        assert!(told.is_due("/a", start + QUIET));
    }
}
