//! The way to the backends: one per worker, HTTP/1 with its own pools.
//!
//! No connection has a task. Whoever waits for an answer drives the exchange, and whoever reads the
//! answer's body reads it from the connection; dropping either closes it.

mod answer;
mod body;
mod connect;
mod connection;
mod failure;
mod framing;
#[cfg(test)]
mod oracle;
mod outgoing;
mod pool;
mod resolver;
mod trust;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::response::Parts;
use tokio::time::sleep;

use self::answer::{Reader, Whole};
use self::connect::Connector;
use self::connection::{Connection, Fault, Why};
use self::framing::Framing;
use self::pool::Pool;
use super::http1::tunnel::Tunnel;
use super::socket::Socket;
use super::turn::others_first;
use crate::config::{Upstream, UpstreamTls};
use crate::guard::{Failure, Oddities};

pub(super) use self::body::{AnswerBody, BodyError};
pub(super) use self::failure::chain;
pub(super) use self::outgoing::Outgoing;
use self::pool::Lease;
pub(super) use self::pool::Reuse;
pub(super) use self::resolver::Resolver;

/// Time for idle connections to be closed where the system has no more open files to give.
const MAKE_ROOM: Duration = Duration::from_millis(20);

/// How often that is waited for.
const MAKE_ROOM_TRIES: usize = 25;

/// Sends requests to backends.
#[derive(Debug)]
pub(super) struct Client {
    connector: Connector,
    pools: Mutex<HashMap<Upstream, Arc<Pool>>>,
}

/// What is done about answers with a head of which HTTP readers refuse or hide something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OddHeads {
    /// They are no answers.
    Refused,
    /// They are taken as far as a status can be read; [`Head::odd`] tells what was odd.
    Taken,
}

/// How far a request got; for whoever gives up on it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    connected: OnceLock<Instant>,
    died_reused: AtomicBool,
}

impl Progress {
    /// When there was a connection, if there is one.
    pub(super) fn connected(&self) -> Option<Instant> {
        self.connected.get().copied()
    }

    /// Whether it went out on a kept connection that ended without a byte of an answer: what may be
    /// asked twice, may be asked again on a new one.
    pub(super) fn died_reused(&self) -> bool {
        self.died_reused.load(Relaxed)
    }
}

/// An answer's head, and the connection that its body comes on.
#[derive(Debug)]
pub(super) struct Head {
    /// Status, headers and their spelling.
    pub(super) parts: Parts,
    /// What `parts` does not show of the head.
    pub(super) odd: Oddities,
    received: Bytes,
    body: AnswerBody,
}

impl Head {
    /// Boxed: it goes through many hands.
    fn new(whole: Whole, lease: Lease, request: &mut Outgoing) -> Box<Self> {
        let Whole { parts, odd, framing, keeps, received, behind } = whole;
        let framing = Framing::of(framing, request.is_head());
        let body = AnswerBody::new(framing, behind, lease, keeps, request.unfinished());
        Box::new(Self { parts, odd, received, body })
    }

    /// The first bytes received, for a record that this is no answer after all.
    pub(super) fn received(&self) -> Bytes {
        Reader::received(&self.received)
    }

    /// The head and the body to come.
    pub(super) fn into_parts(self) -> (Parts, AnswerBody) {
        (self.parts, self.body)
    }

    /// The head and the connection, once the backend has switched protocols.
    pub(super) fn switch(self) -> (Parts, Tunnel<Socket>) {
        (self.parts, self.body.into_tunnel())
    }
}

impl Client {
    /// `limit`: time for a connection, TLS included.
    pub(super) fn new(resolver: Resolver, tls: Option<UpstreamTls>, limit: Duration) -> Self {
        let connector = Connector::new(resolver, tls, limit);
        Self { connector, pools: Mutex::default() }
    }

    /// The same with other settings. Idle connections are kept, but for those that were checked by
    /// earlier rules of TLS.
    pub(super) fn anew(
        &self,
        resolver: Resolver,
        tls: Option<UpstreamTls>,
        limit: Duration,
    ) -> Self {
        let next = Self::new(resolver, tls, limit);
        let kept = self.lock().clone().into_iter().filter(|(upstream, _)| !upstream.tls);
        next.lock().extend(kept);
        next
    }

    /// Sends a request and waits for the answer's head.
    ///
    /// A pooled connection (of those that `reuse` allows) on which nothing was written is replaced
    /// by the next one, at last by a new one. Nothing else is tried twice. Dropping the future
    /// closes the connection. [`Outgoing::is_unsent`] says whether anything of it was written,
    /// [`Progress::died_reused`] whether it was lost.
    pub(super) async fn send(
        &self,
        upstream: &Upstream,
        request: &mut Outgoing,
        reuse: Reuse,
        odd_heads: OddHeads,
        progress: &Progress,
    ) -> Result<Box<Head>, Failure> {
        let pool = self.pool(upstream);
        loop {
            let now = Instant::now();
            let (mut lease, is_new, at) = if let Some(lease) = pool.take(reuse, now) {
                (lease, false, now)
            } else {
                // Boxed: the way to a new connection is long, and most requests need none.
                let lease = Box::pin(self.open(upstream, &pool)).await?;
                (lease, true, Instant::now())
            };
            progress.connected.get_or_init(|| at);
            match exchange(&mut lease.connection, request, odd_heads).await {
                Ok(whole) => return Ok(Head::new(whole, lease, request)),
                Err(fault) => {
                    let is_its_own = !matches!(fault.why, Why::Request(_));
                    let is_surprise = !is_new && is_its_own && fault.received.is_empty();
                    if is_surprise {
                        pool.distrust();
                    }
                    if is_new || !is_its_own || !request.is_unsent() {
                        progress.died_reused.store(is_surprise, Relaxed);
                        return Err(failure::before_head(fault));
                    }
                }
            }
        }
    }

    /// Whether the backend takes a connection.
    pub(super) async fn connects(&self, upstream: &Upstream) -> bool {
        self.connector.connect(upstream).await.is_ok()
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        for pool in self.lock().values() {
            pool.sweep();
        }
    }

    async fn open(&self, upstream: &Upstream, pool: &Arc<Pool>) -> Result<Lease, Failure> {
        let mut tries = 0;
        let stream = loop {
            match self.connector.connect(upstream).await {
                // Out of open files: those that wait for nothing in particular make room.
                Err(Failure::Internal { .. }) if tries < MAKE_ROOM_TRIES => {
                    tries += 1;
                    self.lock().values().for_each(|pool| pool.clear());
                    sleep(MAKE_ROOM).await;
                }
                connected => break connected?,
            }
        };
        Ok(Lease { connection: Connection::new(stream), pool: Arc::clone(pool) })
    }

    fn pool(&self, upstream: &Upstream) -> Arc<Pool> {
        let mut pools = self.lock();
        if let Some(pool) = pools.get(upstream) {
            return Arc::clone(pool);
        }
        Arc::clone(pools.entry(upstream.clone()).or_default())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Upstream, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a request, and waits for the head of its answer.
async fn exchange(
    connection: &mut Connection,
    request: &mut Outgoing,
    odd_heads: OddHeads,
) -> Result<Whole, Fault> {
    let mut reader = Reader::default();
    others_first().await;
    poll_fn(|cx| connection.poll_exchange(cx, request, odd_heads, &mut reader)).await
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// What one request gives at a backend that says `answer` and closes, or resets.
    async fn failure(answer: &'static [u8], resets: bool) -> Failure {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            if resets {
                // Time for the client to read what came before.
                std::thread::sleep(Duration::from_millis(50));
                let socket = socket2::SockRef::from(&stream);
                socket.set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        ask(port).await.unwrap_err()
    }

    async fn ask(port: u16) -> Result<Box<Head>, Failure> {
        let upstream = Upstream::tcp("127.0.0.1", port);
        let headers = http::HeaderMap::from_iter([(http::header::HOST, "a".parse().unwrap())]);
        let body = Bytes::from_static(b"a=b");
        let (method, extensions) = (http::Method::POST, http::Extensions::new());
        let mut request = Outgoing::whole(&method, "/voice", &headers, &extensions, &body);
        let client = Client::new(Resolver::default(), None, Duration::from_secs(1));
        let progress = Progress::default();
        client.send(&upstream, &mut request, Reuse::Fresh, OddHeads::Refused, &progress).await
    }

    fn not_http(failure: &Failure) -> &[u8] {
        let Failure::NotHttp { received, detail } = failure else { panic!("{failure:?}") };
        assert!(!detail.is_empty());
        received
    }

    #[tokio::test]
    async fn the_first_bytes_of_what_is_not_http_are_kept() {
        let page = b"<html><body>It works!</body></html>";
        assert_eq!(not_http(&failure(page, false).await), page);
        assert_eq!(not_http(&failure(b"HTP", false).await), b"HTP");
        let doubled = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(not_http(&failure(doubled, false).await), doubled);
        let kept = failure(&[b'x'; 10_000], false).await;
        assert!((1..=4096).contains(&not_http(&kept).len()));
    }

    #[tokio::test]
    async fn an_early_end_keeps_what_came_before() {
        for start in [&b""[..], b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Type: text/x"] {
            let expected = Failure::ClosedEarly { received: Bytes::from_static(start) };
            assert_eq!(failure(start, false).await, expected);
        }
        assert_eq!(failure(b"", true).await, Failure::Reset);
        assert_eq!(failure(b"HTTP/1.1 200 OK\r\nConten", true).await, Failure::Reset);
    }

    #[tokio::test]
    async fn nobody_listening_is_named() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let expected = Failure::Refused { address: free.to_string() };
        assert_eq!(ask(free.port()).await.unwrap_err(), expected);
    }
}
