//! Addresses that can't go together: two listeners on one, a backend that is the guard itself.

use std::net::{IpAddr, SocketAddr};

use super::error::{ConfigError, Origin};
use super::layers::{Entries, Entry, Layers, line_of};
use super::listen::Listen;
use super::resolve::Values;
use super::value::Value;
use super::{Place, Upstream};

/// Reports listeners that take each other's address and backends that are a listener of the guard.
pub(super) fn check(layers: &Layers, text: &str, errors: &mut Vec<ConfigError>) {
    let own = Values(&layers.entries);
    // A Unix socket of its own is in nobody's way, but for another one on the same path.
    let (listen, ops) = (own.address("listen"), own.address("ops.listen"));
    if let (Some(listen), Some(ops), Some(entry)) = (listen, ops, layers.entries.get("ops.listen"))
        && entry.origin != Origin::Default
        && clash(listen, ops)
    {
        let message = format!(
            "expected an address of its own for health and metrics, found `{ops}`, where Twilio's requests arrive (`listen`)"
        );
        errors.push(mistake("ops.listen", entry, text, message, "choose another port"));
    }
    let admin = own.address("admin.listen");
    if let (Some(admin), Some(entry)) = (admin, layers.entries.get("admin.listen")) {
        let others = [("listen", listen), ("ops.listen", ops)];
        let taken = others.iter().find(|(_, other)| other.is_some_and(|other| clash(admin, other)));
        if let Some((other, _)) = taken {
            let message = format!(
                "expected an address of its own for the admin listener, found `{admin}`, which is `{other}` too"
            );
            errors.push(mistake("admin.listen", entry, text, message, "choose another port"));
        }
    }
    if let (Some(Listen::Unix(own)), Some(entry)) =
        (own.listen("listen"), layers.entries.get("admin.listen"))
        && entry.value == Value::Socket(own.clone())
    {
        let message = format!(
            "expected a socket of its own for the admin listener, found `{}`, which is `listen` too",
            own.display()
        );
        errors.push(mistake("admin.listen", entry, text, message, "choose another path"));
    }
    let mut backend = |entries: &Entries, key: &'static str| {
        let name = key.trim_start_matches("route.");
        let Some(entry) = entries.get(name) else { return };
        let one = Values(entries).upstream(name);
        let all = one.into_iter().chain(Values(entries).upstreams(name).unwrap_or_default());
        let own: Vec<_> =
            [own.listen("listen"), admin.map(Listen::Tcp)].into_iter().flatten().collect();
        for upstream in all {
            for address in own.iter().filter(|address| leads_to(&upstream, address)) {
                let message = format!(
                    "expected the backend, found the guard itself: `{}` is where it listens (`{address}`)",
                    upstream.authority()
                );
                let help = "name where the application listens, or move `listen`";
                errors.push(mistake(key, entry, text, message, help));
            }
        }
    };
    for key in ["upstream", "upstreams"] {
        backend(&layers.entries, key);
    }
    for (entries, _) in &layers.routes {
        for key in ["route.upstream", "route.upstreams"] {
            backend(entries, key);
        }
    }
}

/// A mistake at an entry's place.
pub(super) fn mistake(
    key: &str,
    entry: &Entry,
    text: &str,
    message: String,
    help: &str,
) -> ConfigError {
    let origin = match &entry.span {
        Some(span) => Origin::File(line_of(text, span.start)),
        None => entry.origin.clone(),
    };
    ConfigError {
        origin,
        key: key.to_owned(),
        message,
        help: Some(help.to_owned()),
        span: entry.span.clone(),
    }
}

/// Whether the second listener can't be bound beside the first; port 0 is any free one.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() != 0 && one.port() == other.port() && one.ip() == other.ip()
}

/// Whether a connection to this backend certainly arrives at this listener.
fn leads_to(upstream: &Upstream, listen: &Listen) -> bool {
    let (host, port, listen) = match (&upstream.place, listen) {
        (Place::Tcp { host, port }, Listen::Tcp(listen)) => (host, port, listen),
        (Place::Unix(backend), Listen::Unix(listen)) => return **backend == **listen,
        _ => return false,
    };
    if *port != listen.port() {
        return false;
    }
    if host.eq_ignore_ascii_case("localhost") {
        return listen.ip().is_loopback() || listen.ip().is_unspecified();
    }
    host.parse::<IpAddr>().is_ok_and(|address| {
        address == listen.ip() || (listen.ip().is_unspecified() && address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_is_not_its_own_backend() {
        for (host, port, listen, leads) in [
            ("127.0.0.1", 8080, "127.0.0.1:8080", true),
            ("localhost", 8080, "127.0.0.1:8080", true),
            ("LOCALHOST", 8080, "0.0.0.0:8080", true),
            ("127.0.0.1", 8080, "0.0.0.0:8080", true),
            ("::1", 8080, "[::]:8080", true),
            ("127.0.0.1", 5000, "127.0.0.1:8080", false),
            ("127.0.0.2", 8080, "127.0.0.1:8080", false),
            ("app", 8080, "0.0.0.0:8080", false),
            ("10.0.0.7", 8080, "0.0.0.0:8080", false),
        ] {
            let upstream = Upstream::tcp(host, port);
            assert_eq!(leads_to(&upstream, &listen.parse().unwrap()), leads, "{host} {listen}");
        }
    }
}
