//! The ops listener: health and metrics, on an address of its own. It carries nothing private.
//!
//! | path | answer |
//! | --- | --- |
//! | `/livez` | 200 while the process runs |
//! | `/readyz`, `/healthz` | 200 while it serves, 503 before and while it drains; a dead backend changes nothing |
//! | `/drain` | takes the guard out of the load, for whom `ops.drain` lets; it goes on answering |
//! | `/metrics` | Prometheus text |

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::{Drain, Ready};
use crate::config::{OpsDrain, OpsListener};
use crate::telemetry::metrics::Metrics;

/// Connections at once; the oldest makes room for a new one.
const MAX_CONNECTIONS: usize = 64;
/// Time for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole connection: probes and scrapes are short.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(1);

/// The bound ops listener.
#[derive(Debug)]
pub struct Ops {
    listener: TcpListener,
    address: SocketAddr,
    metrics: Metrics,
    ready: Ready,
    drain: Option<(Drain, OpsDrain)>,
}

/// The running ops listener.
#[derive(Debug)]
pub struct OpsHandle {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why the ops listener can't be had.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected to listen for health and metrics on {address}: {source}; choose another address with --ops, or --ops off"
)]
pub struct OpsError {
    /// The configured address.
    pub address: SocketAddr,
    /// What the system said.
    pub source: std::io::Error,
}

impl Ops {
    /// Binds. `None` when it is off, or when the default address is taken: then a warning says so.
    pub fn bind(
        listener: OpsListener,
        metrics: Metrics,
        ready: Ready,
    ) -> Result<Option<Self>, OpsError> {
        let (address, configured) = match listener {
            OpsListener::Off => return Ok(None),
            OpsListener::Default(address) => (address, false),
            OpsListener::Configured(address) => (address, true),
        };
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        match bound {
            Ok((listener, address)) => {
                Ok(Some(Self { listener, address, metrics, ready, drain: None }))
            }
            Err(source) if configured => Err(OpsError { address, source }),
            Err(error) => {
                let address = address.to_string();
                tracing::warn!(server.address = %address, error = %error, "the default ops address is taken: no health, no metrics; set --ops ADDRESS, or --ops off");
                Ok(None)
            }
        }
    }

    /// With `/drain`, for whom it is open.
    #[must_use]
    pub fn draining(mut self, drain: Drain, who: OpsDrain) -> Self {
        self.drain = Some((drain, who));
        self
    }

    /// The address that was bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves on a thread of its own until the handle is stopped or dropped.
    pub fn spawn(self) -> std::io::Result<OpsHandle> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("ops".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(self) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(OpsHandle { stop: Some(stop), thread: Some(thread) })
    }
}

impl OpsHandle {
    /// Stops serving and waits for the thread, which ends at once.
    pub fn stop(mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has stopped too.
            let _ = thread.join();
        }
    }
}

async fn serve(ops: Ops) {
    let listener = match tokio::net::TcpListener::from_std(ops.listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(error = %error, "the ops listener can't be served");
            return;
        }
    };
    let state = Arc::new((ops.metrics, ops.ready, ops.drain));
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, or a client that left: a moment later it may work again.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            // A probe that has to wait for idle connections would find the guard dead.
            oldest.abort();
        }
        let state = Arc::clone(&state);
        let connection = tokio::spawn(async move {
            let service = service_fn(move |request| {
                let state = Arc::clone(&state);
                async move {
                    let (metrics, ready, drain) = &*state;
                    let reply = match drain {
                        Some((drain, who)) if request.uri().path() == "/drain" => {
                            drained(&request, peer.ip(), drain, *who)
                        }
                        _ => answer(&request, metrics, ready),
                    };
                    Ok::<_, Infallible>(reply)
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_headers(64)
                .serve_connection(TokioIo::new(stream), service);
            // A probe that breaks off harms nobody.
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
        });
        open.push_back(connection.abort_handle());
    }
}

/// Drains from now on, where this client may ask for that.
fn drained(
    request: &Request<Incoming>,
    client: IpAddr,
    drain: &Drain,
    who: OpsDrain,
) -> Response<Full<Bytes>> {
    if !may_drain(client, who) {
        let why = format!("ops.drain = \"{}\" does not let {client} drain\n", who.name());
        return text(StatusCode::FORBIDDEN, why);
    }
    if request.method() != Method::GET && request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST\n".to_owned());
    }
    drain.set(true, &client.to_string());
    text(StatusCode::OK, format!("draining, {} in flight\n", drain.state().1))
}

fn may_drain(client: IpAddr, who: OpsDrain) -> bool {
    match who {
        OpsDrain::Any => true,
        OpsDrain::Loopback => client.to_canonical().is_loopback(),
        OpsDrain::Off => false,
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics, ready: &Ready) -> Response<Full<Bytes>> {
    let known = matches!(request.uri().path(), "/livez" | "/readyz" | "/healthz" | "/metrics");
    if known && request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        refused.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" | "/healthz" => match ready.why_not() {
            None => text(StatusCode::OK, "ok\n".to_owned()),
            Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        },
        "/metrics" => {
            let mut scraped = text(StatusCode::OK, metrics.render());
            let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            scraped.headers_mut().insert(header::CONTENT_TYPE, kind);
            scraped
        }
        _ => {
            text(StatusCode::NOT_FOUND, "known here: /livez /readyz /healthz /metrics\n".to_owned())
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_drains_unless_it_is_open_to_all() {
        let drains = |client: &str, who| may_drain(client.parse().unwrap(), who);
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(drains(here, OpsDrain::Loopback), "{here}");
            assert!(!drains(here, OpsDrain::Off), "{here}");
        }
        for elsewhere in ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"] {
            assert!(!drains(elsewhere, OpsDrain::Loopback), "{elsewhere}");
            assert!(drains(elsewhere, OpsDrain::Any), "{elsewhere}");
        }
    }
}
