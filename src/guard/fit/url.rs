//! Whether a URL is one that no cause has anything to say about.

use crate::guard::causes::grammar::placeholder_unfilled::{MISSING, has_gap};
use crate::guard::causes::links::link_foreign::is_twilios;
use crate::guard::exchange::RequestFacts;
use crate::guard::hosts;
use crate::guard::policy::Policy;

/// What a URL is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) configured: &'a [String],
    pub(super) asked: Option<&'a str>,
    pub(super) is_public: bool,
}

/// Of each place the authority that was found fit last: long documents name the same hosts.
pub(super) type Authorities<'a> = [&'a str; 4];

/// Where a URL stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Twilio opens a WebSocket there.
    Stream,
    /// Twilio takes TwiML from there.
    Document,
    /// Twilio plays or sends it.
    Media,
    /// Twilio tells it something.
    Other,
}

impl<'a> Own<'a> {
    /// The hosts that `Policy::hosts_seen_by` tells, without a copy.
    pub(super) fn of(policy: &'a Policy, request: &'a RequestFacts) -> Self {
        let asked = request.host.as_deref().map(|host| {
            host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(host)
        });
        let is_public = policy.public_origin.is_some();
        Self { configured: &policy.own_hosts, asked, is_public }
    }

    fn has(&self, host: &str) -> bool {
        !host.is_empty()
            && (self.configured.iter().any(|own| own.eq_ignore_ascii_case(host))
                || self.asked.is_some_and(|own| own.eq_ignore_ascii_case(host)))
    }
}

/// Whether nothing is found in a URL for certain; `url` has no blanks at its ends.
pub(super) fn is_fit<'u>(
    url: &'u str,
    place: Place,
    own: &Own<'_>,
    known: &mut Authorities<'u>,
) -> bool {
    let mut is_odd = false;
    let mut may_gap = false;
    for b in url.bytes() {
        is_odd |= !b.is_ascii_graphic();
        may_gap |= matches!(b, b'{' | b'%' | b'[');
    }
    if is_odd || may_gap && has_gap(url) {
        return false;
    }
    if url.starts_with('/') {
        return !has_double_slash(path_of(url));
    }
    let Some(colon) = memchr::memchr(b':', url.as_bytes()) else {
        return is_fit_relative(url, own);
    };
    let scheme = url.get(..colon).unwrap_or_default();
    let Some(rest) = url.get(colon..).and_then(|rest| rest.strip_prefix("://")) else {
        return false;
    };
    let is_socket = matches!(scheme, "wss" | "ws");
    match place {
        Place::Stream if scheme != "wss" => return false,
        Place::Document | Place::Media | Place::Other if is_socket => return false,
        _ if !is_socket && !matches!(scheme, "https" | "http") => return false,
        _ => {}
    }
    let path = rest.bytes().position(|b| matches!(b, b'/' | b'?' | b'#'));
    let (authority, path) = rest.split_at(path.unwrap_or(rest.len()));
    let Some(known) = known.get_mut(place as usize) else { return false };
    if authority.is_empty() || *known != authority {
        if !is_fit_authority(authority, place, own) {
            return false;
        }
        *known = authority;
    }
    !has_double_slash(path_of(path))
}

fn has_double_slash(path: &str) -> bool {
    path.as_bytes().windows(2).any(|two| two == b"//")
}

/// Without a scheme and not from the root: neither a host nor a printed value.
fn is_fit_relative(url: &str, own: &Own<'_>) -> bool {
    let head = url.get(..url.find(['/', '?', '#']).unwrap_or(url.len())).unwrap_or_default();
    let may_be_host = head.contains('.') && !url.starts_with('.') && url.contains('/');
    !url.contains("//") && !may_be_host && !own.has(head) && !MISSING.contains(&url)
}

fn is_fit_authority(authority: &str, place: Place, own: &Own<'_>) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let is_host = host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if host.is_empty() || !is_host || !is_port || MISSING.contains(&host) {
        return false;
    }
    if own.has(authority) || own.has(host) {
        return true;
    }
    let leaves = own.is_public && place == Place::Document && !is_twilios(host);
    hosts::unreachable(host).is_none() && !leaves
}

fn path_of(rest: &str) -> &str {
    let end = rest.bytes().position(|b| matches!(b, b'?' | b'#'));
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}
