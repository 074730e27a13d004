//! The way to the backends: one per worker, over `hyper::client::conn::http1` with its own pools.

mod connect;
mod failure;
mod pool;
mod resolver;
mod tap;
mod trust;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::sleep;

use self::connect::Connector;
use self::pool::Pool;
use self::tap::Tapped;
use super::body::RequestBody;
use crate::config::{Upstream, UpstreamTls};
use crate::guard::{Failure, Oddities};

pub(super) use self::failure::chain;
pub(super) use self::pool::{Lease, Reuse};
pub(super) use self::resolver::Resolver;

/// Time for idle connections to be closed where the system has no more open files to give.
const MAKE_ROOM: Duration = Duration::from_millis(20);

/// How often that is waited for.
const MAKE_ROOM_TRIES: usize = 25;

/// Bytes that the reader of answers buffers at most.
const MAX_BUFFER: usize = 256 * 1024;

/// Headers of an answer at most; hyper's own 100 are too few for a backend that sets cookies.
const MAX_HEADERS: usize = 256;

/// Sends requests to backends.
#[derive(Debug)]
pub(super) struct Client {
    builder: http1::Builder,
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

/// An answer's head, its body to come, and the connection it comes on.
#[derive(Debug)]
pub(super) struct Head {
    /// The answer.
    pub(super) response: Response<Incoming>,
    /// The connection.
    pub(super) lease: Lease,
}

impl Head {
    /// The first bytes received, for a record that this is no answer after all.
    pub(super) fn received(&self) -> Bytes {
        self.lease.tap.received()
    }

    /// What `response` does not show of the head.
    pub(super) fn odd(&self) -> Oddities {
        self.lease.tap.odd()
    }
}

impl Client {
    /// `limit`: time for a connection, TLS included.
    pub(super) fn new(resolver: Resolver, tls: Option<UpstreamTls>, limit: Duration) -> Self {
        let mut builder = http1::Builder::new();
        builder
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .preserve_header_case(true)
            .title_case_headers(true)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_BUFFER);
        let connector = Connector::new(resolver, tls, limit);
        Self { builder, connector, pools: Mutex::default() }
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
    /// closes the connection. The request is taken once there is a connection for it: where it is
    /// left, nothing of it was written, or [`Progress::died_reused`] says that it was lost.
    pub(super) async fn send(
        &self,
        upstream: &Upstream,
        request: &mut Option<Request<RequestBody>>,
        reuse: Reuse,
        odd_heads: OddHeads,
        progress: &Progress,
    ) -> Result<Head, Failure> {
        let pool = self.pool(upstream);
        loop {
            let (mut lease, is_new) = match pool.take(reuse) {
                Some(lease) => (lease, false),
                None => (self.open(upstream, &pool).await?, true),
            };
            let Some(sending) = request.take() else { return Err(failure::sent_already()) };
            progress.connected.get_or_init(Instant::now);
            lease.tap.reset(odd_heads);
            let spare = if is_new { None } else { copied(&sending) };
            match lease.sender.try_send_request(sending).await {
                Ok(response) => {
                    lease.tap.head_is_done();
                    return Ok(Head { response, lease });
                }
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) if !is_new => *request = Some(unsent),
                    _ => {
                        let is_surprise = !is_new && lease.tap.received().is_empty();
                        if is_surprise {
                            pool.distrust();
                        }
                        match spare {
                            Some(spare) if !lease.tap.is_written() => *request = Some(spare),
                            spare => {
                                *request = spare.filter(|_| is_surprise);
                                progress.died_reused.store(is_surprise, Relaxed);
                                return Err(failure::before_head(
                                    &refused.into_error(),
                                    &lease.tap,
                                ));
                            }
                        }
                    }
                },
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
        let (stream, tap) = Tapped::new(stream);
        let (sender, connection) = self
            .builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failure::before_head(&error, &tap))?;
        tokio::spawn(async move {
            // Its errors reach whoever waits for the answer or reads the body.
            let _ = connection.with_upgrades().await;
        });
        Ok(Lease { sender, tap, pool: Arc::clone(pool) })
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

/// The same request once more, if its body is at hand.
fn copied(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let RequestBody::Full(body) = request.body() else { return None };
    let mut copy = Request::new(RequestBody::Full(body.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
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

    async fn ask(port: u16) -> Result<Head, Failure> {
        let upstream = Upstream::tcp("127.0.0.1", port);
        let body = RequestBody::full(Bytes::from_static(b"a=b"));
        let request = Request::post("/voice").header("host", "a").body(body).unwrap();
        let client = Client::new(Resolver::default(), None, Duration::from_secs(1));
        client
            .send(
                &upstream,
                &mut Some(request),
                Reuse::Fresh,
                OddHeads::Refused,
                &Progress::default(),
            )
            .await
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
