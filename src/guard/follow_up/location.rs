//! Where a Location header, or a reference in a document, leads.

use crate::guard::exchange::RequestFacts;
use crate::guard::policy::Policy;

/// A Location header, resolved against the target it came for.
pub(super) struct Location<'a> {
    pub(super) scheme: Option<&'static str>,
    pub(super) authority: Option<&'a str>,
    pub(super) target: String,
}

impl<'a> Location<'a> {
    pub(super) fn parse(location: &'a str, base: &str) -> Option<Self> {
        let location = location.trim();
        let location = location.split('#').next()?;
        if location.chars().any(|c| c.is_control() || c == ' ') {
            return None;
        }
        let lower = location.get(..8.min(location.len()))?.to_ascii_lowercase();
        let (scheme, rest) = if lower.starts_with("https://") {
            (Some("https"), location.get(8..)?)
        } else if lower.starts_with("http://") {
            (Some("http"), location.get(7..)?)
        } else if let Some(rest) = location.strip_prefix("//") {
            (None, rest)
        } else if location.split(['/', '?']).next()?.contains(':') {
            return None;
        } else {
            return Some(Self { scheme: None, authority: None, target: resolve(location, base)? });
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let target = match path.chars().next() {
            None => "/".to_owned(),
            Some('?') => format!("/{path}"),
            _ => path.to_owned(),
        };
        Some(Self { scheme, authority: Some(authority), target })
    }

    /// Whether it stays at the backend: its own address, the request's Host, or the public host.
    pub(super) fn is_own(&self, request: &RequestFacts, policy: &Policy) -> bool {
        let Some(authority) = self.authority else { return true };
        let bare = |authority: &str| {
            let lower = authority.to_ascii_lowercase();
            let port = |port: &str| lower.strip_suffix(port).map(str::to_owned);
            port(":443").or_else(|| port(":80")).unwrap_or(lower)
        };
        let own = bare(authority);
        let hosts =
            request.host.iter().chain(policy.upstream_authorities()).chain(&policy.own_hosts);
        !own.is_empty() && !own.contains('@') && hosts.into_iter().any(|host| bare(host) == own)
    }
}

/// A relative reference against path and query (RFC 3986, section 5.2).
pub(in crate::guard) fn resolve(reference: &str, base: &str) -> Option<String> {
    if reference.starts_with('/') && !reference.contains("/.") {
        return Some(reference.to_owned());
    }
    let base_path = base.split('?').next().unwrap_or("/");
    if reference.is_empty() {
        return Some(base.to_owned());
    }
    if reference.starts_with('?') {
        return Some(format!("{base_path}{reference}"));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (reference, String::new()),
    };
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", base_path.rsplit_once('/').map_or("", |(folder, _)| folder))
    };
    let mut segments: Vec<&str> = Vec::new();
    let parts: Vec<&str> = whole.strip_prefix('/')?.split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        match *part {
            "." if last => segments.push(""),
            "." => {}
            ".." => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            part => segments.push(part),
        }
    }
    Some(format!("/{}{query}", segments.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_references_are_resolved() {
        for (reference, expected) in [
            ("b", "/a/b"),
            ("../c", "/c"),
            ("./", "/a/"),
            ("?q=1", "/a/x?q=1"),
            ("/d/./e", "/d/e"),
            ("/d//e?q=/./", "/d//e?q=/./"),
            ("/d//e?q=1", "/d//e?q=1"),
            ("/d/../../e/.", "/e/"),
            ("/", "/"),
            ("", "/a/x?y=1"),
        ] {
            assert_eq!(resolve(reference, "/a/x?y=1").as_deref(), Some(expected), "{reference}");
        }
    }
}
