//! Which addresses are never asked: those at which a machine is told its own secrets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::error::ProbeError;

/// Addresses at which clouds tell a machine its own secrets, besides the link-local ones: Alibaba
/// and Oracle, and AWS by IPv6.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Names under which those are found.
const METADATA_NAMES: [&str; 6] = [
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
];

/// Why nothing is ever sent to an address; `None` for one that may be asked (loopback and private
/// networks may).
pub fn refused(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) => refused_v4(v4),
        IpAddr::V6(v6) => refused_v6(v6),
    }
}

/// Every address of a host, each one checked: one refused address refuses them all, so that no
/// second lookup can lead elsewhere.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, ProbeError> {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if METADATA_NAMES.contains(&name.as_str()) {
        let why = "the name of a cloud's metadata service";
        return Err(ProbeError::RefusedAddress { host: host.to_owned(), why });
    }
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|source| ProbeError::NoHost { host: host.to_owned(), source })?;
    let found: Vec<_> = found.collect();
    for address in &found {
        if let Some(why) = refused(address.ip()) {
            return Err(ProbeError::RefusedAddress { host: host.to_owned(), why });
        }
    }
    if found.is_empty() {
        let source = std::io::Error::other("the name has no address");
        return Err(ProbeError::NoHost { host: host.to_owned(), source });
    }
    Ok(found)
}

fn refused_v4(ip: Ipv4Addr) -> Option<&'static str> {
    if ip.is_link_local() {
        Some("a link-local address")
    } else if METADATA.contains(&IpAddr::V4(ip)) {
        Some("the address of a cloud's metadata service")
    } else if ip.octets().first() == Some(&0) {
        Some("an address that means no host")
    } else if ip.is_multicast() || ip.is_broadcast() {
        Some("a multicast address")
    } else {
        None
    }
}

fn refused_v6(ip: Ipv6Addr) -> Option<&'static str> {
    if ip.is_loopback() {
        None
    } else if ip.is_unspecified() {
        Some("an address that means no host")
    } else if ip.is_unicast_link_local() {
        Some("a link-local address")
    } else if METADATA.contains(&IpAddr::V6(ip)) {
        Some("the address of a cloud's metadata service")
    } else if ip.is_multicast() {
        Some("a multicast address")
    } else {
        embedded(ip).into_iter().find_map(refused_v4)
    }
}

/// The IPv4 addresses that an IPv6 address may lead to: mapped, compatible, NAT64, 6to4, Teredo.
fn embedded(ip: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = ip.segments();
    let [first, second, third, fourth, fifth, sixth, seventh, last] = segments;
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let mut found = Vec::new();
    let zeros = (first, second, third, fourth) == (0, 0, 0, 0);
    if zeros && (matches!((fifth, sixth), (0, 0 | 0xffff) | (0xffff, 0))) {
        found.push(joined(seventh, last));
    }
    if (first, second) == (0x64, 0xff9b) {
        found.push(joined(seventh, last));
    }
    if first == 0x2002 {
        found.push(joined(second, third));
    }
    if (first, second) == (0x2001, 0) {
        found.extend([joined(third, fourth), joined(!seventh, !last)]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_secrets_are_refused_in_every_form() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::1",
            "2001:0:102:304:0:0:5601:5601",
            "::ffff:0.0.0.0",
        ] {
            assert!(refused(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn loopback_private_and_public_addresses_may_be_asked() {
        for text in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "fd00::1",
            "100.64.0.1",
            "203.0.113.9",
            "2606:4700::1111",
            "::ffff:127.0.0.1",
            "64:ff9b::203.0.113.9",
        ] {
            assert_eq!(refused(text.parse().unwrap()), None, "{text}");
        }
    }

    #[tokio::test]
    async fn numbers_and_names_that_lead_there_are_refused() {
        for host in ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "Metadata.Google.Internal."]
        {
            let error = resolve(host, 80).await.unwrap_err();
            assert!(matches!(error, ProbeError::RefusedAddress { .. }), "{host}: {error}");
        }
        assert!(resolve("localhost", 80).await.is_ok());
    }
}
