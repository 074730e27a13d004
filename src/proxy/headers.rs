//! Which headers go on, and which are added.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH,
    CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HOST, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LOCATION, RANGE, SET_COOKIE,
    TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Version};

use super::http1::encode;
use crate::config::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Twilio's signature of a request.
pub(super) const TWILIO_SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// Headers that speak of one connection only (RFC 9110, section 7.6.1).
static HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
];

/// Headers that a `Connection` header can't take away: whoever could would switch off signature
/// checks, access rules and framing behind us (CVE-2022-31813 and its kin).
static NOT_NOMINABLE: [HeaderName; 18] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    COOKIE,
    FORWARDED,
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PORT,
    FORWARDED_PROTO,
    HOST,
    LOCATION,
    SET_COOKIE,
    TWILIO_SIGNATURE,
    USER_AGENT,
    VIA,
    WWW_AUTHENTICATE,
    HeaderName::from_static("i-twilio-idempotency-token"),
];

/// What makes an answer partial, compressed or absent: never asked for where the answer is judged.
static NOT_WHERE_JUDGED: [HeaderName; 6] =
    [IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE];

/// Headers that describe a body.
const OF_BODY: [HeaderName; 4] = [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE];

/// The same headers without those that concern one connection only.
pub(super) fn end_to_end(headers: HeaderMap) -> HeaderMap {
    // What most name, if they name anything, goes anyway.
    let nominated: Vec<HeaderName> = tokens(&headers, &CONNECTION)
        .filter(|token| !token.eq_ignore_ascii_case("keep-alive"))
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| !NOT_NOMINABLE.contains(name))
        .collect();
    without(headers, |name| HOP_BY_HOP.contains(name) || nominated.contains(name))
}

/// The comma-separated words of a header, in all its lines.
pub(super) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Whom a connection comes from, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// The client's address; none on a Unix socket.
    pub(super) ip: Option<IpAddr>,
    /// Whether it speaks TLS with us.
    pub(super) is_tls: bool,
}

impl Peer {
    /// Who sent a request of this version.
    pub(super) fn sender(self, version: Version) -> Sender {
        let ip = self.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Sender { ip, version, has_address: self.ip.is_some(), is_tls: self.is_tls }
    }

    /// As it is kept on disk: `203.0.113.9`, `tls 203.0.113.9`, `unix`.
    pub(super) fn written(self) -> String {
        let tls = if self.is_tls { "tls " } else { "" };
        let ip = self.ip.map_or_else(|| "unix".to_owned(), |ip| ip.to_string());
        format!("{tls}{ip}")
    }

    /// From what was kept.
    pub(super) fn read(written: &str) -> Self {
        let (is_tls, ip) = match written.strip_prefix("tls ") {
            Some(ip) => (true, ip),
            None => (false, written),
        };
        Self { ip: ip.parse().ok(), is_tls }
    }
}

/// Who sent a request, and how it arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    /// The peer of the connection; this machine for one on a Unix socket.
    pub(super) ip: IpAddr,
    /// The request's version.
    pub(super) version: Version,
    /// Whether the peer has an address that can be told to the backend.
    pub(super) has_address: bool,
    /// Whether it came over TLS.
    pub(super) is_tls: bool,
}

impl Sender {
    /// Whom its connection comes from.
    pub(super) fn peer(self) -> Peer {
        Peer { ip: self.has_address.then_some(self.ip), is_tls: self.is_tls }
    }
}

/// The guard's public face, as the backend is told of it.
#[derive(Debug)]
pub(super) struct PublicFace {
    own: Option<(HeaderValue, HeaderValue)>,
    trusted: Vec<Network>,
}

impl PublicFace {
    /// From `https://pbx.example.com`; `None`, or one that fits no header: taken from the request.
    ///
    /// `trusted`: front ends beyond the near ones, whose word is passed on.
    pub(super) fn new(public_url: Option<&str>, trusted: &[Network]) -> Self {
        let own = public_url.and_then(|url| {
            let (scheme, rest) = url.split_once("://")?;
            let authority = rest.split('/').next()?;
            Some((HeaderValue::from_str(scheme).ok()?, HeaderValue::from_str(authority).ok()?))
        });
        Self { own, trusted: trusted.to_vec() }
    }

    /// The headers of a request on its way to the backend.
    pub(super) fn forward(&self, headers: HeaderMap, sender: Sender) -> HeaderMap {
        let wants_trailers = tokens(&headers, &TE).any(|te| te.eq_ignore_ascii_case("trailers"));
        let mut headers = end_to_end(headers);
        if wants_trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
            headers.insert(CONNECTION, HeaderValue::from_static("TE"));
        }
        self.set_origin(&mut headers, sender);
        // Behind a Unix socket is a front end on this machine, which says itself whom it serves.
        if sender.has_address {
            append_to_list(&mut headers, FORWARDED_FOR, written(sender.ip.to_canonical()));
        }
        let own = match sender.version {
            Version::HTTP_10 => HeaderValue::from_static("1.0 twiml-guard"),
            _ => HeaderValue::from_static("1.1 twiml-guard"),
        };
        append_to_list(&mut headers, VIA, Some(own));
        headers
    }

    /// X-Forwarded-Proto and -Host: the public URL's; else as a near peer (a TLS front end) or a
    /// configured one says, for the backend alone to believe; else what we see ourselves.
    fn set_origin(&self, headers: &mut HeaderMap, sender: Sender) {
        if let Some((scheme, authority)) = &self.own {
            headers.insert(FORWARDED_PROTO, scheme.clone());
            headers.insert(FORWARDED_HOST, authority.clone());
            return;
        }
        let peer = sender.ip;
        let is_near = is_near(peer) || self.trusted.iter().any(|own| own.contains(peer));
        if !is_near || !headers.contains_key(FORWARDED_PROTO) {
            let scheme = if sender.is_tls { "https" } else { "http" };
            headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        }
        if (!is_near || !headers.contains_key(FORWARDED_HOST))
            && let Some(host) = headers.get(HOST).cloned()
        {
            headers.insert(FORWARDED_HOST, host);
        }
    }
}

/// Says in a further request that Twilio came by https.
pub(super) fn set_https(headers: &mut HeaderMap) {
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
}

/// Makes a request ask for an answer that can be judged: whole and uncompressed.
pub(super) fn ask_for_whole(headers: HeaderMap) -> HeaderMap {
    let mut headers = without(headers, |name| NOT_WHERE_JUDGED.contains(name));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// Takes away what describes a body.
pub(super) fn without_body(headers: HeaderMap) -> HeaderMap {
    without(headers, |name| OF_BODY.contains(name))
}

/// Whether an address is this machine's or of a private network.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The names of headers that we, or those behind us, rely on.
fn acted_on() -> impl Iterator<Item = &'static str> {
    NOT_NOMINABLE.iter().chain(&HOP_BY_HOP).map(HeaderName::as_str)
}

/// Whether we, or those behind us, rely on a header of this name, in any case.
pub(super) fn is_acted_on(name: &[u8]) -> bool {
    acted_on().any(|own| own.as_bytes().eq_ignore_ascii_case(name))
}

/// Names with an underscore that many backends read as a header that we set or rely on
/// (`X_Forwarded_Proto`, CVE-2026-39858).
pub(super) fn is_alias(name: &[u8]) -> bool {
    let is_same =
        |(own, byte): (&u8, &u8)| own.eq_ignore_ascii_case(byte) || (*own == b'-' && *byte == b'_');
    name.contains(&b'_')
        && acted_on()
            .map(str::as_bytes)
            .any(|own| own.len() == name.len() && own.iter().zip(name).all(is_same))
}

/// An address as a header's value.
fn written(ip: IpAddr) -> Option<HeaderValue> {
    // The longest has 39 characters.
    let mut text = Vec::with_capacity(40);
    match ip {
        // Nearly every one, and the formatter takes its time.
        IpAddr::V4(ip) => {
            for (at, octet) in ip.octets().into_iter().enumerate() {
                if at > 0 {
                    text.push(b'.');
                }
                encode::decimal(&mut text, octet.into());
            }
        }
        IpAddr::V6(ip) => write!(text, "{ip}").ok()?,
    }
    HeaderValue::from_maybe_shared(Bytes::from(text)).ok()
}

fn append_to_list(headers: &mut HeaderMap, name: HeaderName, item: Option<HeaderValue>) {
    let Some(item) = item else { return };
    if !headers.contains_key(&name) {
        headers.insert(name, item);
        return;
    }
    let mut list: Vec<u8> = Vec::new();
    for value in headers.get_all(&name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(item.as_bytes());
    if let Ok(list) = HeaderValue::from_maybe_shared(Bytes::from(list)) {
        headers.insert(name, list);
    }
}

/// Whether the headers tell this length once, as it is written here: then it stays in its place.
pub(super) fn says_length(headers: &HeaderMap, length: usize) -> bool {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let is_plain = line.len() == 1 || line.first() != Some(&b'0');
    let digit = |told: usize, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| usize::from(byte - b'0'))?;
        told.checked_mul(10)?.checked_add(digit)
    };
    is_plain && line.iter().try_fold(0, digit) == Some(length)
}

/// Keeps the order of what stays. [`HeaderMap::remove`] does not: it fills the gap with the last
/// header. So those behind the first that goes are taken out too, the last one first, and put back.
fn without(mut headers: HeaderMap, is_doomed: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let Some(first) = headers.keys().position(&is_doomed) else { return headers };
    if first + 1 == headers.keys_len()
        && let Some(last) = headers.keys().nth(first).cloned()
    {
        headers.remove(last);
        return headers;
    }
    let behind: Vec<HeaderName> = headers.keys().skip(first).cloned().collect();
    let mut kept: Vec<(HeaderName, Vec<HeaderValue>)> = Vec::new();
    for name in behind.into_iter().rev() {
        if is_doomed(&name) {
            headers.remove(&name);
        } else {
            let values = headers.get_all(&name).iter().cloned().collect();
            headers.remove(&name);
            kept.push((name, values));
        }
    }
    for (name, values) in kept.into_iter().rev() {
        for value in values {
            headers.append(&name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())
            })
            .fold(HeaderMap::new(), |mut all, (name, value): (_, HeaderValue)| {
                all.append(name, value);
                all
            })
    }

    fn lines(headers: &HeaderMap) -> Vec<String> {
        headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect()
    }

    fn sender(ip: &str) -> Sender {
        Peer { ip: Some(ip.parse().unwrap()), is_tls: false }.sender(Version::HTTP_11)
    }

    #[test]
    fn a_peer_is_read_as_it_was_written() {
        for ip in [None, Some("203.0.113.9".parse().unwrap()), Some("::1".parse().unwrap())] {
            for is_tls in [false, true] {
                let peer = Peer { ip, is_tls };
                assert_eq!(Peer::read(&peer.sender(Version::HTTP_11).peer().written()), peer);
            }
        }
    }

    #[test]
    fn what_came_over_tls_came_by_https_and_a_unix_socket_has_no_address() {
        let face = PublicFace::new(None, &[]);
        let tls = Peer { ip: Some("203.0.113.9".parse().unwrap()), is_tls: true };
        let claims = map(&[("host", "pbx"), ("x-forwarded-proto", "ftp")]);
        let told = face.forward(claims.clone(), tls.sender(Version::HTTP_11));
        assert_eq!(told["x-forwarded-proto"], "https");
        let unix = Peer { ip: None, is_tls: false };
        let told = face.forward(map(&[("host", "pbx")]), unix.sender(Version::HTTP_11));
        assert!(!told.contains_key("x-forwarded-for") && told["x-forwarded-proto"] == "http");
        let claims = map(&[
            ("host", "pbx"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
        ]);
        let told = face.forward(claims, unix.sender(Version::HTTP_11));
        assert_eq!(told["x-forwarded-for"], "203.0.113.7");
        assert_eq!(told["x-forwarded-proto"], "https");
    }

    #[test]
    fn what_connection_names_is_dropped_and_the_order_is_kept() {
        let headers = map(&[
            ("host", "a"),
            ("connection", "close, X-Internal"),
            ("x-internal", "1"),
            ("keep-alive", "timeout=5"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
            ("x-last", "z"),
        ]);
        assert_eq!(
            lines(&end_to_end(headers)),
            ["host: a", "set-cookie: a=1", "set-cookie: b=2", "x-last: z"]
        );
    }

    #[test]
    fn what_stays_stands_as_if_the_rest_had_never_been_there() {
        // Every choice of what goes, of headers of which one has two lines.
        let all = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4"), ("d", "5")];
        for doomed in 0_u8..16 {
            let goes = |name: &str| doomed & (1 << (name.as_bytes()[0] - b'a')) != 0;
            let stays: Vec<_> = all.into_iter().filter(|(name, _)| !goes(name)).collect();
            let kept = without(map(&all), |name| goes(name.as_str()));
            assert_eq!(lines(&kept), lines(&map(&stays)), "{doomed:b}");
        }
    }

    #[test]
    fn connection_takes_away_nothing_that_others_rely_on() {
        let headers = map(&[
            ("host", "a"),
            ("x-twilio-signature", "s"),
            ("x-forwarded-for", "203.0.113.9"),
            ("content-length", "3"),
            ("connection", "X-Twilio-Signature, Host, X-Forwarded-For, Content-Length"),
        ]);
        assert_eq!(
            lines(&end_to_end(headers)),
            [
                "host: a",
                "x-twilio-signature: s",
                "x-forwarded-for: 203.0.113.9",
                "content-length: 3"
            ]
        );
    }

    #[test]
    fn a_near_peer_is_believed_and_a_far_one_is_not() {
        let claims =
            map(&[("host", "inner"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "pbx")]);
        let face = PublicFace::new(None, &[]);
        let near = face.forward(claims.clone(), sender("10.1.2.3"));
        assert_eq!(
            (&near["x-forwarded-proto"], &near["x-forwarded-host"]),
            (&"https".parse().unwrap(), &"pbx".parse().unwrap())
        );
        let far = face.forward(claims.clone(), sender("203.0.113.9"));
        assert_eq!(far["x-forwarded-proto"], "http");
        assert_eq!(far["x-forwarded-host"], "inner");
        let face = PublicFace::new(None, &["203.0.113.0/24".parse().unwrap()]);
        assert_eq!(face.forward(claims, sender("203.0.113.9"))["x-forwarded-proto"], "https");
    }

    #[test]
    fn the_public_url_outranks_everyone() {
        let face = PublicFace::new(Some("https://pbx.example.com"), &[]);
        let headers =
            face.forward(map(&[("host", "x"), ("x-forwarded-proto", "ftp")]), sender("127.0.0.1"));
        assert_eq!(headers["x-forwarded-proto"], "https");
        assert_eq!(headers["x-forwarded-host"], "pbx.example.com");
        assert_eq!(headers["host"], "x");
    }

    #[test]
    fn forwarded_for_and_via_are_appended_in_one_line() {
        let headers = map(&[
            ("x-forwarded-for", "203.0.113.9"),
            ("via", "1.1 edge"),
            ("x-forwarded-for", "10.0.0.1"),
        ]);
        let headers = PublicFace::new(None, &[]).forward(headers, sender("::ffff:127.0.0.1"));
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9, 10.0.0.1, 127.0.0.1");
        assert_eq!(headers["via"], "1.1 edge, 1.1 twiml-guard");
    }

    #[test]
    fn aliases_are_known_in_any_case_and_other_underscores_are_fine() {
        for name in ["x_forwarded_proto", "CONTENT_LENGTH", "X-Twilio_Signature", "user_agent"] {
            assert!(is_alias(name.as_bytes()), "{name}");
        }
        for name in ["content-length", "my_own", "x_forwarded", "_", "host"] {
            assert!(!is_alias(name.as_bytes()), "{name}");
        }
        assert!(is_acted_on(b"Content-Length") && is_acted_on(b"te") && !is_acted_on(b"digest"));
    }

    #[test]
    fn a_judged_answer_is_asked_for_whole() {
        let headers = map(&[
            ("accept-encoding", "gzip"),
            ("range", "bytes=0-1"),
            ("if-none-match", "x"),
            ("accept", "*/*"),
        ]);
        assert_eq!(lines(&ask_for_whole(headers)), ["accept-encoding: identity", "accept: */*"]);
    }
}
