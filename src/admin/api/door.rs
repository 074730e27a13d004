//! Where requests come in: an address or a Unix socket, each with its own rules of access.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::access::{Access, Peer};
use super::endpoints::Api;
use crate::unix_socket::UnixSocket;

/// Connections at once, of each listener; the oldest that follows no events makes room.
const MAX_CONNECTIONS: usize = 64;
/// Time for a request's head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a connection that follows no events; then it ends after the answer under way.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(1);

/// A bound listener and its rules.
#[derive(Debug)]
pub(super) struct Door {
    listener: Listener,
    access: Arc<Access>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// What the connection knows of a request.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) peer: Peer,
    /// The address at which it arrived.
    pub(super) own: Option<IpAddr>,
    pub(super) access: Arc<Access>,
    /// Set once it follows events: it may stay.
    pub(super) follows: Arc<AtomicBool>,
}

impl Door {
    pub(super) fn tcp(listener: TcpListener, access: Access) -> Self {
        Self { listener: Listener::Tcp(listener), access: Arc::new(access) }
    }

    pub(super) fn unix(socket: UnixSocket, access: Access) -> Self {
        Self { listener: Listener::Unix(socket), access: Arc::new(access) }
    }
}

/// Serves all doors, for as long as it is polled.
pub(super) async fn serve(doors: Vec<Door>, api: Api) {
    let api = Arc::new(api);
    let mut serving = JoinSet::new();
    for door in doors {
        serving.spawn(serve_door(door, Arc::clone(&api)));
    }
    while serving.join_next().await.is_some() {}
    // Without a door left there is nothing to do but to wait for the end.
    std::future::pending::<()>().await;
}

async fn serve_door(door: Door, api: Arc<Api>) {
    let Door { listener, access } = door;
    let mut crowd = Crowd::default();
    let visitor =
        |peer, own| Visitor { peer, own, access: Arc::clone(&access), follows: Arc::default() };
    let served = match listener {
        Listener::Tcp(listener) => match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => loop {
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let own = stream.local_addr().ok().map(|address| address.ip());
                        let visitor = visitor(Peer::Address(peer.ip().to_canonical()), own);
                        crowd.admit(stream, visitor, &api);
                    }
                    Err(_) => pause().await,
                }
            },
            Err(error) => Err(error),
        },
        Listener::Unix(socket) => match socket.tokio() {
            Ok(listener) => loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let who = stream.peer_cred().ok().map(|who| (who.uid(), who.pid()));
                        crowd.admit(stream, visitor(Peer::Process(who), None), &api);
                    }
                    Err(_) => pause().await,
                }
            },
            Err(error) => Err(error),
        },
    };
    let Err::<Infallible, _>(error) = served;
    tracing::error!(error = %error, "an admin listener can't be served");
}

/// Out of descriptors, or a client that left: a moment later it may work again.
async fn pause() {
    sleep(Duration::from_millis(100)).await;
}

/// The connections of one listener.
#[derive(Debug, Default)]
struct Crowd(VecDeque<(AbortHandle, Arc<AtomicBool>)>);

impl Crowd {
    fn admit(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        visitor: Visitor,
        api: &Arc<Api>,
    ) {
        self.0.retain(|(connection, _)| !connection.is_finished());
        if self.0.len() >= MAX_CONNECTIONS {
            let idle = self.0.iter().position(|(_, follows)| !follows.load(Ordering::Relaxed));
            if let Some((connection, _)) = idle.and_then(|at| self.0.remove(at)) {
                connection.abort();
            }
        }
        let follows = Arc::clone(&visitor.follows);
        let connection = tokio::spawn(serve_connection(stream, visitor, Arc::clone(api)));
        self.0.push_back((connection.abort_handle(), follows));
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    visitor: Visitor,
    api: Arc<Api>,
) {
    let follows = Arc::clone(&visitor.follows);
    let service = service_fn(move |request| {
        let (api, visitor) = (Arc::clone(&api), visitor.clone());
        async move { Ok::<_, Infallible>(api.answer(request, &visitor).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut is_over = false;
    loop {
        tokio::select! {
            // A client that breaks off harms nobody.
            _ = connection.as_mut() => return,
            () = sleep(CONNECTION_TIMEOUT) => {
                if is_over {
                    return;
                }
                if !follows.load(Ordering::Relaxed) {
                    is_over = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}
