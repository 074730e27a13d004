//! Networks of addresses: whose forwarded headers are believed.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that begin alike: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    /// Leading bits that count, of 128.
    length: u32,
}

impl Network {
    /// Whether an address belongs to it; an IPv4 address may come as IPv6.
    pub fn contains(&self, address: IpAddr) -> bool {
        let different = self.bits ^ bits(address);
        different.leading_zeros() >= self.length
    }
}

/// IPv4 as IPv6 has it.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = &'static str;

    /// From an address, or an address and the number of bits that count.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected an IP address or a network (`10.0.0.0/8`)";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected)?;
        let most: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(length) => length.parse().ok().filter(|n| *n <= most).ok_or(expected)?,
        };
        let network = Self { bits: bits(address), length: length + (128 - most) };
        let beyond = u128::MAX.checked_shr(network.length).unwrap_or(0);
        if network.bits & beyond != 0 {
            return Err(
                "expected a network whose address ends where its bits do (`10.0.0.0/8`, not `10.1.2.3/8`)",
            );
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_belong_to_the_networks_that_hold_them() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::1", "::1", "127.0.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ] {
            let own: Network = network.parse().unwrap();
            assert!(own.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!own.contains(outside.parse().unwrap()), "{network} {outside}");
        }
        for wrong in ["", "a", "10.0.0.0/33", "10.1.2.3/8", "10.0.0.0/", "::1/129", "fd00::1/8"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
