//! Names to addresses: looked up once on a request's way, then behind its back.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::time::timeout;

/// How old addresses may be before they are asked for anew, behind a request that uses them.
const FRESH: Duration = Duration::from_secs(10);

/// The same where none of them could be connected to.
const DOUBTED: Duration = Duration::from_secs(1);

/// Time for a name server to answer behind a request.
const LOOKUP: Duration = Duration::from_secs(10);

/// Looks names up, and remembers what was last good: a name server that is down must not take
/// the backend with it.
#[derive(Debug, Clone, Default)]
pub(in crate::proxy) struct Resolver(Arc<Mutex<HashMap<String, Known>>>);

#[derive(Debug)]
struct Known {
    addresses: Vec<IpAddr>,
    /// When they were last asked for.
    asked: Instant,
    /// Whether somebody asks just now.
    is_asking: bool,
    is_doubted: bool,
    /// Whether the last answer was none.
    is_failing: bool,
}

impl Resolver {
    /// The addresses of a host, at least one. Only the first lookup of a name is waited for, for
    /// `limit` at most.
    pub(super) async fn addresses(
        &self,
        host: &str,
        limit: Duration,
    ) -> Result<Vec<IpAddr>, io::Error> {
        if let Ok(literal) = host.parse() {
            return Ok(vec![literal]);
        }
        if let Some((addresses, is_due)) = self.known(host) {
            if is_due {
                let (own, host) = (self.clone(), host.to_owned());
                tokio::spawn(async move { own.refresh(&host).await });
            }
            return Ok(addresses);
        }
        let addresses = lookup(host, limit).await?;
        self.learn(host, addresses.clone());
        Ok(addresses)
    }

    /// None of the addresses could be connected to.
    pub(super) fn doubt(&self, host: &str) {
        if let Some(known) = self.lock().get_mut(host) {
            known.is_doubted = true;
        }
    }

    /// What is known of a name, and whether the caller is to ask anew.
    fn known(&self, host: &str) -> Option<(Vec<IpAddr>, bool)> {
        let mut all = self.lock();
        let known = all.get_mut(host)?;
        let fresh = if known.is_doubted { DOUBTED } else { FRESH };
        let is_due = !known.is_asking && known.asked.elapsed() >= fresh;
        known.is_asking |= is_due;
        Some((known.addresses.clone(), is_due))
    }

    async fn refresh(&self, host: &str) {
        match lookup(host, LOOKUP).await {
            Ok(addresses) => self.learn(host, addresses),
            Err(error) => self.keep(host, &error),
        }
    }

    fn learn(&self, host: &str, addresses: Vec<IpAddr>) {
        let asked = Instant::now();
        let (is_asking, is_doubted, is_failing) = (false, false, false);
        let entry = Known { addresses, asked, is_asking, is_doubted, is_failing };
        let before = self.lock().insert(host.to_owned(), entry);
        if before.is_some_and(|before| before.is_failing) {
            tracing::info!(backend.host = host, "the backend's name resolves again");
        }
    }

    /// Nothing new: what was last good goes on.
    fn keep(&self, host: &str, error: &io::Error) {
        let mut all = self.lock();
        let Some(known) = all.get_mut(host) else { return };
        let is_news = !known.is_failing;
        known.is_asking = false;
        known.asked = Instant::now();
        known.is_failing = true;
        drop(all);
        if is_news {
            tracing::warn!(
                backend.host = host,
                %error,
                "the backend's name does not resolve any more; its last addresses are used on"
            );
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the name server.
async fn lookup(host: &str, limit: Duration) -> Result<Vec<IpAddr>, io::Error> {
    let found = timeout(limit, lookup_host((host, 0))).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, "the name server does not answer")
    })??;
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(io::Error::other("the name has no address"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_last_good_outlives_a_name_that_is_gone() {
        let resolver = Resolver::default();
        let host = "gone.invalid";
        let limit = Duration::from_secs(5);
        assert!(resolver.addresses(host, limit).await.is_err());
        let last = vec!["192.0.2.7".parse().unwrap()];
        resolver.learn(host, last.clone());
        assert!(!resolver.known(host).unwrap().1, "fresh ones are not asked for");
        let long_ago = Instant::now().checked_sub(FRESH).unwrap();
        resolver.lock().get_mut(host).unwrap().asked = long_ago;
        let start = Instant::now();
        assert_eq!(resolver.addresses(host, limit).await.unwrap(), last);
        assert!(start.elapsed() < Duration::from_millis(100), "nobody waits for a lookup");
        assert!(!resolver.known(host).unwrap().1, "one asks, not everyone");
        resolver.refresh(host).await;
        assert_eq!(resolver.addresses(host, limit).await.unwrap(), last);
        assert!(resolver.lock().get(host).unwrap().is_failing);
    }

    #[test]
    fn doubted_addresses_are_asked_for_sooner() {
        let resolver = Resolver::default();
        resolver.learn("app", vec!["192.0.2.7".parse().unwrap()]);
        let second_ago = Instant::now().checked_sub(DOUBTED).unwrap();
        resolver.lock().get_mut("app").unwrap().asked = second_ago;
        assert!(!resolver.known("app").unwrap().1);
        resolver.doubt("app");
        assert!(resolver.known("app").unwrap().1);
    }
}
