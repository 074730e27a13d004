//! URLs inside a document: what is wrong with one, and its one sensible reading.

const SCHEMES: [&str; 4] = ["https://", "http://", "wss://", "ws://"];

/// A URL in which two schemes follow each other, with the one that fits kept: `wss://https://host`
/// is `wss://host`, `https://https://host` is `https://host`.
pub fn without_doubled_scheme(url: &str) -> Option<String> {
    let outer = scheme(url)?;
    let mut rest = url.get(outer.len()..)?;
    let mut doubled = false;
    while let Some(inner) = scheme(rest).or_else(|| broken_scheme(rest)) {
        rest = rest.get(inner.len()..)?;
        doubled = true;
    }
    let host_follows = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    (doubled && host_follows).then(|| format!("{outer}{rest}"))
}

/// A scheme that lost a slash or its colon when it was glued: `https:/host`, `https//host`.
fn broken_scheme(rest: &str) -> Option<&str> {
    ["https:/", "http:/", "https//", "http//", "wss//", "ws//"].into_iter().find_map(|broken| {
        let head = rest.get(..broken.len())?;
        head.eq_ignore_ascii_case(broken).then_some(head)
    })
}

/// A URL on one of the own hosts, or a path there, with `//` in its path, each collapsed to one
/// slash; the query is left alone. What begins with `//` names a host.
pub fn without_double_slash(url: &str, own_hosts: &[String]) -> Option<String> {
    let scheme = scheme(url).unwrap_or_default();
    let rest = url.get(scheme.len()..)?;
    let (host, after) = if scheme.is_empty() { ("", rest) } else { split_host(rest) };
    let is_path = scheme.is_empty() && rest.starts_with('/') && !rest.starts_with("//");
    if !is_path && !is_own(host, own_hosts) {
        return None;
    }
    let path_end = after.find(['?', '#']).unwrap_or(after.len());
    let path = collapsed(after.get(..path_end)?)?;
    Some(format!("{scheme}{host}{path}{}", after.get(path_end..)?))
}

/// A path that has `//`, each collapsed to one slash.
pub fn collapsed(path: &str) -> Option<String> {
    if !path.contains("//") {
        return None;
    }
    let mut collapsed = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !collapsed.ends_with('/') {
            collapsed.push(c);
        }
    }
    Some(collapsed)
}

/// A URL that begins with an own host instead of a scheme, with the scheme that its element needs.
pub fn with_scheme(url: &str, element: &str, own_hosts: &[String]) -> Option<String> {
    let bare = url.strip_prefix("//").unwrap_or(url);
    let (host, after) = split_host(bare);
    let whole = after.is_empty() || after.starts_with(['/', '?']);
    let fitting = if matches!(element, "Stream" | "ConversationRelay" | "Siprec") {
        "wss://"
    } else {
        "https://"
    };
    (scheme(url).is_none() && is_own(host, own_hosts) && whole).then(|| format!("{fitting}{bare}"))
}

/// Whether a URL on a foreign host looks wrong: `//` in its path, or something like a host where
/// the scheme should be.
pub fn is_odd(url: &str, own_hosts: &[String]) -> bool {
    if without_doubled_scheme(url).is_some() {
        return false;
    }
    let Some(scheme) = scheme(url) else {
        return is_host_without_scheme(url, own_hosts);
    };
    let (host, after) = split_host(url.get(scheme.len()..).unwrap_or_default());
    let path = after.split(['?', '#']).next().unwrap_or_default();
    !host.is_empty()
        && path.contains("//")
        && !is_own(host, own_hosts)
        && scheme_inside(path).is_none()
}

/// The host of a URL that has a scheme: without user, password and port, an IPv6 address without
/// its brackets; empty where none follows the scheme.
pub fn host(url: &str) -> Option<&str> {
    let host = host_and_port(url)?;
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split(']').next();
    }
    host.split(':').next()
}

/// The same with the port and an IPv6 address's brackets.
fn host_and_port(url: &str) -> Option<&str> {
    let (authority, _) = split_host(url.get(scheme(url)?.len()..)?);
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
}

/// Whether a URL is on one of the own hosts, by its host with or without the port.
pub fn is_on_own_host(url: &str, own_hosts: &[String]) -> bool {
    host_and_port(url).is_some_and(|host| is_own(host, own_hosts))
        || host(url).is_some_and(|host| is_own(host, own_hosts))
}

/// The path of a URL that has a scheme, without its query; `/` where there is none.
pub fn path(url: &str) -> Option<&str> {
    let (_, after) = split_host(url.get(scheme(url)?.len()..)?);
    let path = after.split(['?', '#']).next().unwrap_or_default();
    Some(if path.is_empty() { "/" } else { path })
}

/// Why Twilio can't read a URL, in a few words; `None` for one that it can.
pub fn malformed(url: &str, element: &str) -> Option<&'static str> {
    if without_doubled_scheme(url).is_some() || super::words::placeholder(url).is_some() {
        return None;
    }
    if url.contains(char::is_whitespace) {
        return Some("blanks inside");
    }
    let Some(scheme) = scheme(url) else {
        let (head, _) = url.split_once(':')?;
        let rest = url.get(head.len() + 1..)?;
        let named = !head.is_empty() && head.bytes().all(|b| b.is_ascii_alphabetic());
        let known = ["http", "https", "ws", "wss"].iter().any(|k| k.eq_ignore_ascii_case(head));
        return if named && known {
            Some("slashes missing behind the scheme")
        } else {
            (named && rest.starts_with("//")).then_some("no scheme that Twilio calls")
        };
    };
    let host = host(url)?;
    if host.is_empty() {
        return Some("no host");
    }
    if !has_sound_port(url) {
        return Some("the port is no number");
    }
    if host.contains('_') {
        return Some("underscore in the host");
    }
    let socket = scheme.to_ascii_lowercase().starts_with("ws");
    let streams = matches!(element, "Stream" | "ConversationRelay" | "Siprec");
    (socket && !streams).then_some("a WebSocket where a page is asked for")
}

/// Whether what stands behind a URL's host is no port, or a number.
fn has_sound_port(url: &str) -> bool {
    let host = host_and_port(url).unwrap_or_default();
    let host = host.rsplit_once(']').map_or(host, |(_, port)| port);
    host.split_once(':').is_none_or(|(_, port)| port.is_empty() || port.parse::<u16>().is_ok())
}

/// Whether a URL without a scheme begins with what looks like a foreign host.
fn is_host_without_scheme(url: &str, own_hosts: &[String]) -> bool {
    let (host, _) = split_host(url);
    let top = host.rsplit('.').next().unwrap_or_default();
    !url.starts_with(['/', '.', '?', '#'])
        && host.contains('.')
        && top.len() >= 2
        && top.bytes().all(|b| b.is_ascii_alphabetic())
        && !is_own(host, own_hosts)
        && url.contains('/')
        && !url.contains(':')
}

/// A path may carry a URL as data (`/proxy/https://…`).
fn scheme_inside(path: &str) -> Option<usize> {
    SCHEMES.iter().find_map(|scheme| path.find(scheme))
}

/// The scheme of a URL with its `://`, as it stands there, where it is one that Twilio calls.
pub fn scheme(url: &str) -> Option<&str> {
    SCHEMES.iter().find_map(|scheme| {
        let head = url.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(head)
    })
}

fn split_host(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

fn is_own(host: &str, own_hosts: &[String]) -> bool {
    !host.is_empty() && own_hosts.iter().any(|own| own.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<String> {
        vec!["pbx.example.com".to_owned()]
    }

    #[test]
    fn doubled_schemes_keep_the_outer_one() {
        for (url, mended) in [
            ("wss://https://h/ws", "wss://h/ws"),
            ("https://https://h/a?b=https://c", "https://h/a?b=https://c"),
            ("wss://wss://https://h", "wss://h"),
            ("HTTPS://http://h", "HTTPS://h"),
            ("wss://https:/h/x", "wss://h/x"),
        ] {
            assert_eq!(without_doubled_scheme(url).as_deref(), Some(mended), "{url}");
        }
        for url in ["https://h/https://x", "wss://h", "/a", "https://"] {
            assert_eq!(without_doubled_scheme(url), None, "{url}");
        }
    }

    #[test]
    fn double_slashes_are_collapsed_on_the_own_host_only() {
        assert_eq!(
            without_double_slash("https://pbx.example.com//a//b?x=//y", &own()).as_deref(),
            Some("https://pbx.example.com/a/b?x=//y")
        );
        assert_eq!(without_double_slash("https://other.example.com//a", &own()), None);
        assert_eq!(without_double_slash("/a//b?x=//y", &own()).as_deref(), Some("/a/b?x=//y"));
        for url in ["//voice", "//voice//x", "a//b", "/a?u=https://x"] {
            assert_eq!(without_double_slash(url, &own()), None, "{url}");
        }
        assert!(is_odd("https://other.example.com//a", &own()));
    }

    #[test]
    fn the_own_host_gets_its_scheme() {
        assert_eq!(
            with_scheme("pbx.example.com/a", "Play", &own()).as_deref(),
            Some("https://pbx.example.com/a")
        );
        assert_eq!(
            with_scheme("//pbx.example.com/a", "Gather", &own()).as_deref(),
            Some("https://pbx.example.com/a")
        );
        assert_eq!(
            with_scheme("pbx.example.com/ws", "Stream", &own()).as_deref(),
            Some("wss://pbx.example.com/ws")
        );
        for url in ["/a", "a/b", "https://pbx.example.com/", "pbx.example.com.evil/a"] {
            assert_eq!(with_scheme(url, "Play", &own()), None, "{url}");
        }
    }

    #[test]
    fn the_host_stands_between_user_and_port() {
        for (url, expected) in [
            ("https://pbx.example.com/a", Some("pbx.example.com")),
            ("wss://user:p_w@pbx.example.com:8443?a=b@c", Some("pbx.example.com")),
            ("http://[::1]:80/a", Some("::1")),
            ("https:///a", Some("")),
            ("/a", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }

    #[test]
    fn the_path_stands_between_host_and_query() {
        for (url, expected) in [
            ("https://pbx.example.com/a/b?c=/d", Some("/a/b")),
            ("wss://pbx.example.com#x", Some("/")),
            ("https://pbx.example.com?a=/b", Some("/")),
            ("/a", None),
        ] {
            assert_eq!(path(url), expected, "{url}");
        }
    }

    #[test]
    fn malformed_urls_say_why() {
        for (url, element) in [
            ("https://media.example.net/my file.mp3", "Play"),
            ("https://my_host.example.net/a", "Play"),
            ("https:///a", "Redirect"),
            ("https://", "Redirect"),
            ("https:/media.example.net/a", "Play"),
            ("HTTP:media.example.net/a", "Play"),
            ("htps://media.example.net/a", "Play"),
            ("ftp://media.example.net/a", "Play"),
            ("https://media.example.net:undefined/a", "Play"),
            ("wss://media.example.net/a", "Redirect"),
        ] {
            assert!(malformed(url, element).is_some(), "{url}");
        }
        for (url, element) in [
            ("https://user_name:p@media.example.net/my%20file_1.mp3?a=b:c", "Play"),
            ("/a/b_c", "Redirect"),
            ("a.php?next=https://pbx.example.com", "Redirect"),
            ("wss://media.example.net/a", "Stream"),
            ("http://[2001:db8::1]/a", "Play"),
            ("http://[2001:db8::1]:8080/a", "Play"),
            ("https://user:pw@media.example.net:8443/a:b", "Play"),
            ("https://https://pbx.example.com/a", "Play"),
            ("https://{my_host}/a", "Play"),
            ("menu:1", "Redirect"),
        ] {
            assert_eq!(malformed(url, element), None, "{url}");
        }
    }
}
