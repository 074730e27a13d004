//! Routes: a path pattern and a method with their policy and upstream.

use http::Method;

use super::{SharedPolicy, Upstream};
use crate::twilio::SlotSetting;

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
    pub upstream: Upstream,
    /// What the judge may do.
    pub policy: SharedPolicy,
}

impl Route {
    /// Whether a request of this method and path (no query) is this route's.
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own == method) && self.pattern.matches(path)
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
}
