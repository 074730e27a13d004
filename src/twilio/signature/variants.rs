//! The URLs that Twilio may have signed for one request: front ends rewrite what a server sees of
//! the URL, and generation of the signature is not consistent about ports and escapes.
//!
//! Source: Twilio docs, "Security"; the validators of Twilio's helper libraries.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;

/// Most URLs that are tried for one request.
pub(super) const MAX_URLS: usize = 96;

/// Every URL that may have been signed, the most likely first, no doubles.
///
/// `origins`: `https://pbx.example.com`. `userinfo`: `user:password`, as it may stand in the URL.
/// `target`: path and query as sent.
pub(super) fn urls(
    origins: &[String],
    userinfo: &[String],
    target: &str,
    is_websocket: bool,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let origins = origins_of(origins, is_websocket);
    for target in targets(target, is_websocket) {
        for (scheme, authority) in &origins {
            for user in std::iter::once(None).chain(userinfo.iter().map(Some)) {
                let mut url = format!("{scheme}://");
                if let Some(user) = user {
                    // Writing to a String can't fail.
                    let _ = write!(url, "{user}@");
                }
                url.push_str(authority);
                url.push_str(&target);
                if all.len() < MAX_URLS && !all.contains(&url) {
                    all.push(url);
                }
            }
        }
    }
    all
}

/// Scheme and authority in every spelling.
fn origins_of(origins: &[String], is_websocket: bool) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for origin in origins {
        let Some((scheme, authority)) = origin.split_once("://") else { continue };
        let is_safe = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss");
        let socket = if is_safe { "wss" } else { "ws" };
        let schemes = [is_websocket.then_some(socket), Some(scheme)];
        for scheme in schemes.into_iter().flatten() {
            for authority in authorities(authority, if is_safe { ":443" } else { ":80" }) {
                all.push((scheme.to_owned(), authority));
            }
        }
    }
    all
}

/// The authority as it is, without its port, and with the scheme's own spelt out.
fn authorities(authority: &str, own: &str) -> Vec<String> {
    let port = authority.rfind(':').filter(|at| !authority[*at..].contains(']'));
    match port {
        Some(at) => vec![authority.to_owned(), authority[..at].to_owned()],
        None => vec![authority.to_owned(), format!("{authority}{own}")],
    }
}

/// Path and query as sent, and as the validators of the helper libraries rewrite them; no doubles.
fn targets(target: &str, is_websocket: bool) -> Vec<String> {
    let mut all = vec![target.to_owned()];
    let mut add = |other: String| {
        if !all.contains(&other) {
            all.push(other);
        }
    };
    if is_websocket {
        let (path, query) = parted(target);
        let other = match path.strip_suffix('/') {
            Some(bare) => bare.to_owned(),
            None => format!("{path}/"),
        };
        add(format!("{other}{query}"));
    }
    add(as_whatwg(target));
    add(with_raw_apostrophes(target));
    add(as_raw_utf8(target));
    add(as_node_legacy(target));
    all
}

fn parted(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

/// As the WHATWG URL of browsers and Node writes it.
fn as_whatwg(target: &str) -> String {
    let (path, query) = parted(target);
    let path = escaped(path, |b| b"\"<>^`{}".contains(&b));
    path + &escaped(query, |b| b"\"<>'".contains(&b))
}

fn escaped(text: &str, is_escaped: impl Fn(u8) -> bool) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut all, b| {
        if b <= b' ' || b >= 0x7f || is_escaped(b) {
            let _ = write!(all, "%{b:02X}");
        } else {
            all.push(char::from(b));
        }
        all
    })
}

/// The other way round: apostrophes that were escaped on the way here.
fn with_raw_apostrophes(target: &str) -> String {
    target.replace("%27", "'")
}

/// As Java signs it: letters beyond ASCII as they are, all other escapes kept.
fn as_raw_utf8(target: &str) -> String {
    let mut all = String::with_capacity(target.len());
    let mut rest = target;
    while let Some(at) = rest.find('%') {
        let (before, escapes) = rest.split_at(at);
        all.push_str(before);
        let run = escapes
            .as_bytes()
            .chunks(3)
            .take_while(|part| matches!(part, [b'%', high, low] if b"89abcdefABCDEF".contains(high) && low.is_ascii_hexdigit()))
            .count();
        let length = if run == 0 { 1 } else { run * 3 };
        let (run, after) = escapes.split_at(length);
        let bytes: Vec<u8> = percent_decode_str(run).collect();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            all.push_str(chunk.valid());
            // Escapes of what is no UTF-8 stay as they are; a lone `%` is its own byte.
            let from = at + chunk.valid().len();
            at = from + chunk.invalid().len();
            all.push_str(run.get(from * 3..at * 3).unwrap_or_default());
        }
        rest = after;
    }
    all + rest
}

/// The query as Node's `querystring` writes it anew.
fn as_node_legacy(target: &str) -> String {
    let (path, query) = parted(target);
    let Some(query) = query.strip_prefix('?') else { return target.to_owned() };
    let part = |text: &str| {
        let spaced = text.replace('+', " ");
        let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
        String::from_utf8_lossy(&bytes).bytes().fold(String::new(), |mut all, b| {
            if b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b) {
                all.push(char::from(b));
            } else {
                let _ = write!(all, "%{b:02X}");
            }
            all
        })
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        format!("{}={}", part(name), part(value))
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(origin: &str, target: &str) -> Vec<String> {
        urls(&[origin.to_owned()], &[], target, false)
    }

    #[test]
    fn the_schemes_own_port_may_be_signed_and_another_may_be_missing() {
        assert_eq!(of("https://a", "/x"), ["https://a/x", "https://a:443/x"]);
        assert_eq!(of("http://a:80", "/x"), ["http://a:80/x", "http://a/x"]);
        assert_eq!(of("https://a:8443", "/x"), ["https://a:8443/x", "https://a/x"]);
        assert_eq!(of("https://[::1]", "/x"), ["https://[::1]/x", "https://[::1]:443/x"]);
        assert_eq!(of("https://[::1]:5", "/x"), ["https://[::1]:5/x", "https://[::1]/x"]);
    }

    #[test]
    fn escapes_may_have_been_made_or_undone() {
        let all = of("https://a", "/Espa%C3%B1a/%2F?q=It's+a%20b&x=%C3%zz%e9");
        for target in [
            "/Espa%C3%B1a/%2F?q=It%27s+a%20b&x=%C3%zz%e9",
            "/España/%2F?q=It's+a%20b&x=%C3%zz%e9",
            "/Espa%C3%B1a/%2F?q=It's%20a%20b&x=%EF%BF%BD%25zz%EF%BF%BD",
        ] {
            assert!(all.contains(&format!("https://a{target}")), "{target} in {all:#?}");
        }
        assert!(of("https://a", "/x?q=It%27s").contains(&"https://a/x?q=It's".to_owned()));
    }

    #[test]
    fn streams_are_signed_as_wss_with_or_without_a_slash() {
        let all = urls(&["https://a".to_owned()], &[], "/ws?x=1", true);
        for url in
            ["wss://a/ws?x=1", "https://a/ws?x=1", "wss://a/ws/?x=1", "https://a:443/ws/?x=1"]
        {
            assert!(all.contains(&url.to_owned()), "{url} in {all:?}");
        }
    }

    #[test]
    fn their_number_is_bounded() {
        let origins: Vec<_> = (0..50).map(|n| format!("https://host{n}")).collect();
        let users: Vec<_> = (0..50).map(|n| format!("user{n}")).collect();
        assert_eq!(urls(&origins, &users, "/x?y='é", true).len(), MAX_URLS);
    }
}
