//! Hosts that Twilio can't reach, or that are nobody's for long.

use std::net::IpAddr;

/// What makes a host unreachable for Twilio, in a few words; `None` for any other.
pub fn unreachable(host: &str) -> Option<&'static str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return address_kind(address);
    }
    let below = |zone: &&str| without_zone(host, zone).is_some_and(|rest| rest.ends_with('.'));
    if host.eq_ignore_ascii_case("localhost") || below(&"localhost") {
        return Some("this machine");
    }
    // Placeholders, and what no host is made of, are other causes'.
    let is_label = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if host.is_empty() || !host.bytes().all(|b| is_label(b) || b == b'.') {
        return None;
    }
    if ["undefined", "null", "none", "nil"].iter().any(|none| host.eq_ignore_ascii_case(none)) {
        return None;
    }
    if !host.contains('.') {
        return Some("a name of an inner network");
    }
    if INNER.iter().any(below) {
        return Some("a name of an inner network");
    }
    TUNNELS.iter().any(below).then_some("a development tunnel")
}

/// What stands before a zone (lower case) at the end of a host, whatever its letter case.
pub fn without_zone<'h>(host: &'h str, zone: &str) -> Option<&'h str> {
    let (rest, end) = host.split_at_checked(host.len().checked_sub(zone.len())?)?;
    end.eq_ignore_ascii_case(zone).then_some(rest)
}

/// Zones that no public DNS answers for (RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`), and
/// those that routers and clusters hand out.
const INNER: [&str; 10] = [
    "cluster.local",
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
];

/// Zones of services that lend a public name to a developer's machine.
const TUNNELS: [&str; 16] = [
    "bore.pub",
    "devtunnels.ms",
    "lhr.life",
    "loca.lt",
    "localhost.run",
    "localtunnel.me",
    "localxpose.io",
    "lvh.me",
    "ngrok-free.app",
    "ngrok-free.dev",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "pagekite.me",
    "serveo.net",
    "trycloudflare.com",
];

fn address_kind(address: IpAddr) -> Option<&'static str> {
    let (this_machine, private) = match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            (
                v4.is_loopback() || v4.is_unspecified(),
                v4.is_private() || v4.is_link_local() || shared,
            )
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => return address_kind(IpAddr::V4(v4)),
            None => (
                v6.is_loopback() || v6.is_unspecified(),
                v6.is_unique_local() || v6.is_unicast_link_local(),
            ),
        },
    };
    if this_machine { Some("this machine") } else { private.then_some("a private address") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_hosts_are_told_from_public_ones() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.10",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "backend",
            "pbx.local",
            "pbx.default.svc.cluster.local",
            "host.docker.internal",
            "abc123.ngrok-free.app",
            "abc.eu.ngrok.io",
        ] {
            assert!(unreachable(host).is_some(), "{host}");
        }
        for host in [
            "pbx.example.com",
            "203.0.113.7",
            "172.32.0.1",
            "100.128.0.1",
            "2001:db8::1",
            "local.example.com",
            "ngrok.io.example.com",
            "myngrok.io",
            "ngrok.io",
            "undefined",
            "my_host",
            "{host}",
            "",
        ] {
            assert_eq!(unreachable(host), None, "{host}");
        }
    }
}
