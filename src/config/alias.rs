//! `[[alias]]`: paths that Twilio asks, and those that the backend has instead.

use std::ops::Range;
use std::sync::Arc;

use super::error::{ConfigError, Origin};
use super::layers::{Layers, line_of};
use super::resolve::{Values, pattern};
use super::route::Route;

/// A path that Twilio asks, and the one that the backend has instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// As configured: `/webhook/voice`, or `/old/*`.
    pub from: String,
    /// Likewise: a path where `from` is one, `/new/*` where it is a prefix.
    pub to: String,
}

impl Alias {
    /// The path at the backend, if a request's path (no query) is this alias's.
    pub fn mapped(&self, path: &str) -> Option<String> {
        match (self.from.strip_suffix('*'), self.to.strip_suffix('*')) {
            (None, None) => (path == self.from).then(|| self.to.clone()),
            (Some(from), Some(to)) => match path.strip_prefix(from) {
                Some(rest) => Some(format!("{to}{rest}")),
                // `/old/*` is `/old` as well.
                None if from.strip_suffix('/') == Some(path) && to.len() > 1 => {
                    to.strip_suffix('/').map(str::to_owned)
                }
                None => None,
            },
            _ => None,
        }
    }
}

/// Resolves every `[[alias]]` of a file whose text is `text`.
pub(super) fn resolve(
    layers: &Layers,
    routes: &[(Arc<Route>, Range<usize>)],
    text: &str,
    errors: &mut Vec<ConfigError>,
) -> Vec<Alias> {
    let mut placed: Vec<(Alias, Range<usize>)> = Vec::new();
    for (entries, head) in &layers.aliases {
        let own = Values(entries);
        let (Some(from), Some(to)) = (own.text("from"), own.text("to")) else { continue };
        let alias = Alias { from, to };
        let fault = shape(&alias).or_else(|| {
            let earlier = placed.iter().find(|(earlier, _)| covers(&earlier.from, &alias.from));
            earlier.map(|(earlier, by)| {
                let (name, line) = (&earlier.from, line_of(text, by.start));
                format!(
                    "expected a path of its own, found `{}`, which `{name}` in line {line} takes; drop one",
                    alias.from
                )
            })
        });
        let fault =
            fault.or_else(|| shadowed(&alias, routes, text)).map(|message| ("from", message));
        if let Some((key, message)) = fault {
            let span = entries.get(key).and_then(|entry| entry.span.clone());
            errors.push(error(key, message, span.unwrap_or_else(|| head.clone()), text));
        }
        placed.push((alias, head.clone()));
    }
    chained(&placed, text, errors);
    placed.into_iter().map(|(alias, _)| alias).collect()
}

fn error(key: &str, message: String, span: Range<usize>, text: &str) -> ConfigError {
    ConfigError {
        origin: Origin::File(line_of(text, span.start)),
        key: format!("alias.{key}"),
        message,
        help: None,
        span: Some(span),
    }
}

/// Two paths, or two prefixes.
fn shape(alias: &Alias) -> Option<String> {
    let Alias { from, to } = alias;
    if from.contains('{') || to.contains('{') {
        return Some(format!(
            "expected paths like \"/voice\" or \"/old/*\", found `{from}` to `{to}`; an alias has no {{segments}}"
        ));
    }
    (from.ends_with('*') != to.ends_with('*')).then(|| {
        format!("expected two paths or two prefixes like \"/old/*\" and \"/new/*\", found `{from}` to `{to}`")
    })
}

/// A route on a path that the alias takes away from it never sees a request.
fn shadowed(alias: &Alias, routes: &[(Arc<Route>, Range<usize>)], text: &str) -> Option<String> {
    let own = pattern(&alias.from);
    let (route, span) = routes.iter().find(|(route, _)| own.covers(&route.pattern))?;
    Some(format!(
        "expected a path without a route, found `{}`: route `{}` in line {} never matches, since its requests belong to the route of `{}`; drop the route or the alias",
        alias.from,
        route.name,
        line_of(text, span.start),
        alias.to
    ))
}

/// A path is mapped once: what an alias leads to is no alias itself, nor below its own `from`. Only
/// whole targets are looked at, so that `/old/*` may lose its prefix (`/*`).
fn chained(placed: &[(Alias, Range<usize>)], text: &str, errors: &mut Vec<ConfigError>) {
    for (alias, span) in placed {
        let next = placed.iter().find(|(next, _)| covers(&next.from, &alias.to));
        if let Some((next, by)) = next {
            let message = format!(
                "expected a path that is no alias, found `{}`, which the alias `{}` in line {} maps to `{}`; a path is mapped once: name the last one",
                alias.to,
                next.from,
                line_of(text, by.start),
                next.to
            );
            errors.push(error("to", message, span.clone(), text));
        }
    }
}

fn covers(from: &str, other: &str) -> bool {
    pattern(from).covers(&pattern(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_prefixes_are_mapped() {
        let alias = |from: &str, to: &str| Alias { from: from.to_owned(), to: to.to_owned() };
        let exact = alias("/voice", "/webhook/incoming_call");
        assert_eq!(exact.mapped("/voice").as_deref(), Some("/webhook/incoming_call"));
        assert_eq!(exact.mapped("/voice/"), None);
        let prefix = alias("/old/*", "/new/*");
        for (path, expected) in [
            ("/old/a/b", Some("/new/a/b")),
            ("/old/", Some("/new/")),
            ("/old", Some("/new")),
            ("/older", None),
        ] {
            assert_eq!(prefix.mapped(path).as_deref(), expected, "{path}");
        }
        assert_eq!(alias("/old/*", "/*").mapped("/old/a").as_deref(), Some("/a"));
    }
}
