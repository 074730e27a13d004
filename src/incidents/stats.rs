//! What became of all answers of a while, by route, and which causes were seen when.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::store::{Counts, Filter, Reader, StoreError};
use super::traffic::Traffic;
use super::view::rfc3339;

/// Most stretches that a while is divided into.
const MOST: u64 = 30;
/// Lengths of a stretch in seconds: round ones.
const STEPS: &[u64] = &[60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800];

/// The JSON of `twiml-guard incidents stats --json`. Fields are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// From when on (RFC 3339): the start of the first stretch.
    pub since: String,
    /// Until when (RFC 3339).
    pub until: String,
    /// Each route with answers.
    pub routes: Vec<RouteStats>,
    /// All routes together.
    pub total: RouteStats,
    /// Length of a stretch in seconds.
    pub step_s: u64,
    /// Each route and cause with incidents, the most frequent first.
    pub causes: Vec<CauseStats>,
}

/// What became of the answers of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteStats {
    /// The route's name; `*` for all.
    pub route: String,
    /// All answers.
    pub answers: u64,
    /// Left as they were.
    pub untouched: u64,
    /// Mended.
    pub repaired: u64,
    /// Replaced by a fallback.
    pub replaced: u64,
    /// Replaced by a 502.
    pub failed: u64,
    /// Left as they were in observe mode, although enforcing would have saved them.
    pub would_have: u64,
    /// Half of the backend's answers took no longer, to 19 % above; `null` without answers.
    pub p50_ms: Option<u64>,
    /// 99 % of the backend's answers took no longer, to 19 % above.
    pub p99_ms: Option<u64>,
}

/// Incidents of a route under a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseStats {
    /// The route's name.
    pub route: String,
    /// The cause that they are counted under.
    pub cause: String,
    /// All of them.
    pub count: u64,
    /// In each stretch, the first first.
    pub counts: Vec<u64>,
}

impl Stats {
    /// Reads what was recorded from `since_ms` until now, of one route or all.
    pub fn read(
        reader: &Reader,
        since_ms: u64,
        now_ms: u64,
        route: Option<&str>,
    ) -> Result<Self, StoreError> {
        let step_ms = step(now_ms.saturating_sub(since_ms)) * 1_000;
        let first = since_ms / step_ms;
        let start_ms = first * step_ms;
        let mut traffic = reader.traffic(start_ms)?;
        traffic.retain(|traffic| route.is_none_or(|name| name == traffic.route));
        let filter = Filter {
            since_ms: Some(start_ms),
            route: route.map(str::to_owned),
            ..Filter::default()
        };
        let counts = reader.counts(&filter, step_ms)?;
        let (routes, total) = routes(&traffic);
        let stretches = (now_ms / step_ms).saturating_sub(first) + 1;
        Ok(Self {
            since: rfc3339(start_ms),
            until: rfc3339(now_ms),
            routes,
            total,
            step_s: step_ms / 1_000,
            causes: causes(counts, first, usize::try_from(stretches).unwrap_or(1)),
        })
    }
}

/// The shortest step in seconds by which a span has few enough stretches.
fn step(span_ms: u64) -> u64 {
    let longest = STEPS.last().copied().unwrap_or(60);
    let enough = STEPS.iter().copied().find(|step| span_ms / 1_000 / step <= MOST);
    // Longer than the list knows: whole multiples of its last.
    enough.unwrap_or_else(|| (span_ms / 1_000 / MOST / longest + 1) * longest)
}

fn routes(traffic: &[Traffic]) -> (Vec<RouteStats>, RouteStats) {
    let mut by_route: BTreeMap<&str, Traffic> = BTreeMap::new();
    let mut total = Traffic::default();
    for minute in traffic {
        by_route.entry(&minute.route).or_default().add(minute);
        total.add(minute);
    }
    let routes = by_route.iter().map(|(route, traffic)| of(route, traffic)).collect();
    (routes, of("*", &total))
}

fn of(route: &str, traffic: &Traffic) -> RouteStats {
    RouteStats {
        route: route.to_owned(),
        answers: traffic.answers(),
        untouched: traffic.untouched,
        repaired: traffic.repaired,
        replaced: traffic.replaced,
        failed: traffic.failed,
        would_have: traffic.would_have,
        p50_ms: traffic.upstream.quantile(0.5),
        p99_ms: traffic.upstream.quantile(0.99),
    }
}

fn causes(counts: Vec<Counts>, first: u64, stretches: usize) -> Vec<CauseStats> {
    let mut by_cause: BTreeMap<(String, String), CauseStats> = BTreeMap::new();
    for one in counts {
        let key = (one.route.clone(), one.cause.clone());
        let own = by_cause.entry(key).or_insert_with(|| CauseStats {
            route: one.route,
            cause: one.cause,
            count: 0,
            counts: vec![0; stretches],
        });
        own.count += one.count;
        // What a clock that was set back since has in the future counts as now.
        let at = usize::try_from(one.stretch.saturating_sub(first)).unwrap_or(usize::MAX);
        if let Some(slot) = own.counts.get_mut(at.min(stretches.saturating_sub(1))) {
            *slot += one.count;
        }
    }
    let mut all: Vec<_> = by_cause.into_values().collect();
    all.sort_by_key(|own| Reverse(own.count));
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stretches_are_round_and_few() {
        assert_eq!(step(30 * 60_000), 60);
        assert_eq!(step(2 * 3_600_000), 300);
        assert_eq!(step(24 * 3_600_000), 3_600);
        assert_eq!(step(30 * 86_400_000), 86_400);
        for days in [1, 40, 400, 4_000, 20_000] {
            let span = days * 86_400_000;
            assert!(span / 1_000 / step(span) <= MOST, "{days}");
        }
    }

    #[test]
    fn minutes_and_routes_add_up() {
        let minute = |route: &str, repaired, ms| {
            let mut traffic = Traffic { route: route.to_owned(), repaired, ..Traffic::default() };
            traffic.upstream.note(Duration::from_millis(ms));
            traffic
        };
        let (routes, total) =
            routes(&[minute("/a", 1, 10), minute("/b", 2, 20), minute("/a", 4, 900)]);
        let told: Vec<_> = routes.iter().map(|own| (own.route.as_str(), own.answers)).collect();
        assert_eq!(told, [("/a", 5), ("/b", 2)]);
        assert_eq!((total.repaired, total.route.as_str()), (7, "*"));
        assert!(total.p50_ms.unwrap() < 30 && total.p99_ms.unwrap() >= 900);
    }

    #[test]
    fn causes_stand_where_they_happened() {
        let count = |cause: &str, stretch, count| Counts {
            route: "/a".to_owned(),
            cause: cause.to_owned(),
            stretch,
            count,
        };
        let all = causes(vec![count("x", 100, 1), count("y", 101, 5), count("x", 250, 2)], 100, 3);
        assert_eq!(all[0].cause, "y");
        assert_eq!(all[1].counts, [1, 0, 2]);
    }
}
