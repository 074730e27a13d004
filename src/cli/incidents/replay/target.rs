//! Where replayed requests go instead of the configured backends.

use std::net::ToSocketAddrs as _;

use crate::cli::incidents::Failure;
use crate::config::{Place, Upstream};
use crate::probe::refused;

/// The backend at this URL; never one at which nothing but secrets is to be had.
pub(super) fn read(url: &str) -> Result<Upstream, Failure> {
    let upstream: Upstream = url.parse().map_err(|why| {
        Failure::Usage(format!(
            "expected a backend for --to such as http://127.0.0.1:5000, found `{}`: {why}",
            shown(url)
        ))
    })?;
    let Place::Tcp { host, port } = &upstream.place else { return Ok(upstream) };
    let addresses = (&**host, *port)
        .to_socket_addrs()
        .map_err(|source| Failure::NoHost { host: host.to_string(), source })?;
    for address in addresses {
        if let Some(why) = refused(address.ip()) {
            return Err(Failure::Usage(format!(
                "expected a backend for --to, found `{}` at {}, {why}",
                host,
                address.ip()
            )));
        }
    }
    Ok(upstream)
}

/// The URL without credentials.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://***@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match read(url) {
            Ok(upstream) => panic!("{url}: {upstream:?}"),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_any_spelling() {
        for host in [
            "169.254.169.254",
            "169.254.0.1:5000",
            "[fe80::1]:80",
            "[fd00:ec2::254]",
            "[::ffff:169.254.169.254]",
            "100.100.100.200",
            "2852039166",
            "0xa9fea9fe",
        ] {
            let said = refusal(&format!("http://{host}"));
            assert!(said.contains("link-local") || said.contains("metadata"), "{host}: {said}");
        }
    }

    #[test]
    fn a_backend_is_host_and_port() {
        let upstream = read("http://127.0.0.1:5000/").unwrap();
        assert_eq!(upstream.authority(), "127.0.0.1:5000");
        for (url, why) in [
            ("127.0.0.1:5000", "begins with http://"),
            ("ftp://127.0.0.1", "begins with http://"),
            ("http://127.0.0.1/path", "path"),
            ("http://u:s3cr3t@127.0.0.1", "credentials"),
        ] {
            let said = refusal(url);
            assert!(said.contains(why) && !said.contains("s3cr3t"), "{url}: {said}");
        }
    }
}
