//! The request line's target and the host.

use std::net::Ipv6Addr;
use std::ops::Range;

use memchr::memchr;

use super::fault::{Fault, Reason, bad};

/// Longest target.
const LONGEST: usize = 32 * 1024;

const ODD: Fault =
    bad(Reason::Target, "the target has characters that have to be percent-encoded in a URL");
const FORM: Fault = bad(Reason::Target, "expected a target that begins with a slash");

/// Checks a request's target; gives where in it the authority stands that it names, if any.
pub(super) fn check(method: &[u8], target: &[u8]) -> Result<Option<Range<usize>>, Fault> {
    if target.len() > LONGEST {
        let why = "the target is longer than 32 KiB";
        return Err(Fault { status: 414, reason: Reason::Target, why });
    }
    if target.first() == Some(&b'/') {
        return path_and_query(target).map(|()| None);
    }
    if target == b"*" {
        return if method == b"OPTIONS" { Ok(None) } else { Err(FORM) };
    }
    absolute(target).map(Some)
}

/// `http://host:port/path`; gives where `host:port` stands.
fn absolute(target: &[u8]) -> Result<Range<usize>, Fault> {
    let is_scheme = |scheme: &&str| {
        target.get(..scheme.len()).is_some_and(|own| own.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let start = ["http://", "https://"].iter().find(|scheme| is_scheme(scheme)).ok_or(FORM)?.len();
    let rest = target.get(start..).unwrap_or_default();
    let (authority, path) = rest.split_at(memchr(b'/', rest).unwrap_or(rest.len()));
    if authority.contains(&b'@') {
        return Err(bad(Reason::Target, "the target carries a user name; leave it out"));
    }
    if authority.is_empty() || !is_host(authority) {
        return Err(bad(Reason::Target, "the target's authority is no host with an optional port"));
    }
    if !path.is_empty() {
        path_and_query(path)?;
    }
    Ok(start..start + authority.len())
}

fn path_and_query(target: &[u8]) -> Result<(), Fault> {
    let (path, query) = target.split_at(memchr(b'?', target).unwrap_or(target.len()));
    if memchr(b'#', target).is_some() {
        return Err(bad(Reason::Target, "the target has a fragment, which never leaves a client"));
    }
    let is_fine =
        path.iter().all(|&b| is_plain(b)) && query.iter().all(|&b| is_plain(b) || b == b'`');
    let is_text = target.is_ascii() || std::str::from_utf8(target).is_ok();
    if is_fine && is_text { Ok(()) } else { Err(ODD) }
}

/// What stands for itself in a URL, or is sent unescaped by clients that are in use.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x21..=0x3b | b'=' | 0x3f..=0x5f | 0x61..=0x7e | 0x80..)
}

/// `name`, `name:80`, `[::1]:80`.
pub(super) fn is_host(host: &[u8]) -> bool {
    let (name, port) = match host.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = memchr(b']', rest) else { return false };
            let (address, after) = rest.split_at(end);
            let is_address = std::str::from_utf8(address)
                .is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok());
            if !is_address {
                return false;
            }
            (&b"a"[..], after.get(1..).unwrap_or_default())
        }
        None => host.split_at(memchr(b':', host).unwrap_or(host.len())),
    };
    let is_name = !name.is_empty()
        && name
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    is_name && (port.is_empty() || is_port(port))
}

fn is_port(port: &[u8]) -> bool {
    let digits = port.strip_prefix(b":").unwrap_or_default();
    (1..=5).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && digits.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0')) <= 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_an_optional_port() {
        for host in
            ["a", "A.example.com", "my_app:5000", "127.0.0.1:80", "[::1]", "[fe80::1]:8080", "a:0"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", ":80", "a:", "a:b", "a:99999", "a:655360", "a b", "a/b", "a@b", "a,b", "[::1",
            "[::1]80", "[x]", "::1", "a:80:80", "a%20", "a?b", "a\\b", "ä",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn targets_are_paths_or_absolute() {
        let path = |target: &'static str| check(b"GET", target.as_bytes());
        for target in ["/", "/a?b=c&d=%20", "//x", "/a?b?c", "/{\"a\"}", "/ä", "/a|b\\c^?x=`"] {
            assert_eq!(path(target), Ok(None), "{target}");
        }
        assert_eq!(path("HTTP://a.b:80/x"), Ok(Some(7..13)));
        assert_eq!(path("https://[::1]"), Ok(Some(8..13)));
        assert_eq!(check(b"OPTIONS", b"*"), Ok(None));
        for target in [
            "*",
            "",
            "a",
            "a:80",
            "ftp://a/",
            "http:///",
            "http://",
            "http://a@b/",
            "http://a b/",
            "http://a?x",
            "/#x",
            "/a#",
            "/<a>",
            "/a`",
            "/a\t",
            "?a",
        ] {
            assert!(path(target).is_err(), "{target}");
        }
        assert!(check(b"GET", b"/\xff").is_err());
        let long = format!("/{}", "a".repeat(LONGEST)).into_bytes();
        assert_eq!(check(b"GET", &long).unwrap_err().status, 414);
        assert_eq!(check(b"GET", &long[..LONGEST]), Ok(None));
    }
}
