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
