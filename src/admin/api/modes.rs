//! Which routes are observed, which enforced; and the switch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::config::Config;
use crate::config::route::{Mode, Route};
use crate::telemetry::metrics::Metrics;

/// The modes of all guarded routes.
#[derive(Debug, Clone)]
pub struct Modes {
    routes: Arc<Mutex<Vec<Arc<Route>>>>,
    metrics: Metrics,
}

/// The mode of one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteMode {
    /// The route's name.
    pub route: String,
    /// The method that it is limited to.
    pub method: Option<String>,
    /// `observe` or `enforce`, as configured.
    pub configured: &'static str,
    /// The same, as it is now.
    pub current: &'static str,
}

impl RouteMode {
    fn of(route: &Route) -> Self {
        Self {
            route: route.name.clone(),
            method: route.method.as_ref().map(ToString::to_string),
            configured: route.policy.configured_mode().name(),
            current: route.policy.mode().name(),
        }
    }
}

/// A route that is not there.
#[derive(Debug)]
pub(super) struct SwitchError {
    pub(super) message: String,
    /// The guarded routes.
    pub(super) known: Vec<String>,
}

impl Modes {
    /// Of a configuration's routes; their modes are counted in the metrics.
    pub fn new(config: &Config, metrics: Metrics) -> Self {
        let routes = guarded(config);
        measure(&routes, &metrics);
        Self { routes: Arc::new(Mutex::new(routes)), metrics }
    }

    /// Takes over the routes of another configuration, before it is in force. A route that was
    /// switched stays so, where it is configured as before.
    pub fn reload(&self, config: &Config) {
        let mut routes = self.lock();
        let next = guarded(config);
        for old in routes.iter() {
            let mut same = next.iter().filter(|new| new.name == old.name);
            if same.clone().next().is_none() {
                self.metrics.forget_route(&old.name);
            }
            let is_this = |new: &&Arc<Route>| {
                new.method == old.method
                    && new.policy.configured_mode() == old.policy.configured_mode()
            };
            if let Some(new) = same.find(is_this) {
                new.policy.switch(Some(old.policy.mode()));
            }
        }
        *routes = next;
        measure(&routes, &self.metrics);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Route>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All guarded routes, in the order in which they are tried.
    pub fn list(&self) -> Vec<RouteMode> {
        self.lock().iter().map(|route| RouteMode::of(route)).collect()
    }

    /// Switches the routes of a name, or all, to a mode (`None`: as configured) until the guard
    /// ends. `by`: who wants it, for the log.
    pub(super) fn switch(
        &self,
        to: Option<Mode>,
        name: Option<&str>,
        by: &str,
    ) -> Result<Vec<RouteMode>, SwitchError> {
        let routes = self.lock();
        let chosen: Vec<_> =
            routes.iter().filter(|route| name.is_none_or(|name| route.name == name)).collect();
        if chosen.is_empty() {
            let known: Vec<_> = routes.iter().map(|route| route.name.clone()).collect();
            let found: String = name.unwrap_or_default().chars().take(100).collect();
            let message =
                format!("expected the name of a guarded route, found `{}`", found.escape_debug());
            return Err(SwitchError { message, known });
        }
        for route in &chosen {
            let before = route.policy.mode();
            route.policy.switch(to);
            let now = route.policy.mode();
            if now != before {
                tracing::warn!(
                    http.route = route.name,
                    mode = now.name(),
                    configured = route.policy.configured_mode().name(),
                    by,
                    "mode switched; a restart forgets it"
                );
            }
        }
        measure(&routes, &self.metrics);
        Ok(chosen.into_iter().map(|route| RouteMode::of(route)).collect())
    }
}

fn guarded(config: &Config) -> Vec<Arc<Route>> {
    let all = config.routes.iter().chain([&config.default_route]);
    all.filter(|route| route.is_guarded()).cloned().collect()
}

fn measure(routes: &[Arc<Route>], metrics: &Metrics) {
    for route in routes {
        // Two routes of one name, for two methods, are one line.
        let mut same = routes.iter().filter(|other| other.name == route.name);
        let is_observed = same.any(|route| route.policy.mode() == Mode::Observe);
        metrics.observe(&route.name, is_observed);
    }
}
