//! Serves a client's connection, one request after the other.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::super::http1::tunnel::Tunnel;
use super::super::paced::Paced;
use super::answer::{self, End};
use super::body::Incoming;
use super::date::Date;
use super::fault::Fault;
use super::head::{Head, Limits};
use super::refused::Refusals;
use super::request::{self, Wishes};
use super::wire::{Came, Shared};

/// What is read and thrown away behind the last answer, so that the client can read it: what
/// arrives at a closed socket makes the system reset the connection, answer and all.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that are thrown away at once.
const PIECE: usize = 8 * 1024;

/// A client's connection once both sides have switched protocols.
pub(crate) type Switched = Tunnel<Paced>;

/// Gives a connection once both sides have switched protocols; an error if they don't.
pub(crate) type Switch = oneshot::Receiver<Switched>;

/// A request as it came, and what is known of it besides.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request<Incoming>,
    pub(crate) head: Head,
    /// Its connection, should both sides switch: where it is a WebSocket handshake.
    pub(crate) switch: Option<Switch>,
}

/// Answers requests.
pub(crate) trait Service {
    /// What answers have for a body.
    type Body: Body<Data = Bytes> + Unpin;

    /// Answers a request.
    fn answer(&self, asked: Asked) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers what is no request.
    fn refuse(&self, fault: Fault) -> Response<Self::Body>;

    /// Marks the connection as busy with a request for as long as what it gives is held.
    fn busy(&self) -> impl Send;

    /// Whether answers are the last ones on their connections.
    fn is_closing(&self) -> bool;
}

/// Serves a connection until it ends, or until its last request once `stops` is over.
pub(crate) async fn serve<S: Service>(
    stream: Paced,
    limits: Limits,
    refusals: Refusals,
    date: &Date,
    service: &S,
    stops: impl Future<Output = ()>,
) -> io::Result<()> {
    let wire = Shared::new(stream, limits, refusals);
    let mut stops = std::pin::pin!(stops);
    let (mut is_first, mut is_last) = (true, false);
    loop {
        let came = poll_fn(|cx| {
            if let Poll::Ready(came) = wire.lock().poll_head(cx) {
                return Poll::Ready(Some(came));
            }
            // A connection's first request may be on its way.
            is_last = is_last || stops.as_mut().poll(cx).is_ready();
            if is_last && !is_first && !wire.lock().has_begun() {
                return Poll::Ready(None);
            }
            Poll::Pending
        });
        let (head, bytes, layout) = match came.await.transpose()? {
            None | Some(Came::End) => break,
            Some(Came::Head(head, bytes, layout)) => (head, bytes, layout),
            Some(Came::Refused(fault)) => {
                refuse(&wire, service, fault, date).await?;
                break;
            }
        };
        is_first = false;
        let parts = match request::parts(&bytes, layout) {
            Ok(parts) => parts,
            Err(fault) => {
                refuse(&wire, service, fault, date).await?;
                break;
            }
        };
        drop(bytes);
        let busy = service.busy();
        let wishes = Wishes::of(&parts);
        let (switch, switched) = head.is_websocket.then(oneshot::channel).unzip();
        let body = body(&wire, head, &parts);
        let request = Request::from_parts(parts, body);
        // Boxed: a connection would keep room for a whole request all the time, even while it has none.
        let response = Box::pin(service.answer(Asked { request, head, switch: switched })).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(switch) = switch
        {
            answer::write(&wire, response, wishes, true, date).await?;
            if let Some((stream, early)) = wire.into_parts() {
                // Nobody waits for it any more: it is closed.
                drop(switch.send(Tunnel::new(early, stream)));
            }
            drop(busy);
            return Ok(());
        }
        is_last = is_last || poll_fn(|cx| Poll::Ready(stops.as_mut().poll(cx).is_ready())).await;
        let keeps = wishes.keeps && !head.is_websocket && !is_last && !service.is_closing();
        let end = finish(&wire, response, wishes, keeps, date).await;
        drop(busy);
        match end {
            Ok(End::Kept) => wire.lock().rest(),
            Ok(End::Last) => break,
            Ok(End::Cut) => {
                wire.lock().stream.end_by_reset();
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    close(&wire).await
}

/// Writes an answer and deals with what was not read of its request.
async fn finish<B: Body<Data = Bytes> + Unpin>(
    wire: &Shared,
    response: Response<B>,
    wishes: Wishes,
    keeps: bool,
    date: &Date,
) -> io::Result<End> {
    // What nobody reads any more, and is not here yet, is not waited for.
    let is_read = {
        let is_uninvited = wire.lock().is_uninvited();
        if wire.is_shared() { !is_uninvited } else { wire.lock().discard() }
    };
    let end = answer::write(wire, response, wishes, keeps && is_read, date).await?;
    let is_over = wire.lock().discard();
    Ok(if end == End::Kept && !is_over { End::Last } else { end })
}

async fn refuse<S: Service>(
    wire: &Shared,
    service: &S,
    fault: Fault,
    date: &Date,
) -> io::Result<()> {
    let _busy = service.busy();
    let response = service.refuse(fault);
    answer::write(wire, response, Wishes::NONE, false, date).await.map(drop)
}

/// The body of a request, taken whole where it is here.
fn body(wire: &Shared, head: Head, parts: &http::request::Parts) -> Incoming {
    if head.is_websocket {
        return Incoming::here(Bytes::new());
    }
    let mut own = wire.lock();
    if request::waits_for_word(parts) && !own.is_between() {
        own.invites();
    } else if let Some(whole) = own.take_whole() {
        return Incoming::here(whole);
    }
    drop(own);
    Incoming::coming(wire.clone())
}

/// Ends the connection; where the client may still be sending, what comes is thrown away for a while.
async fn close(wire: &Shared) -> io::Result<()> {
    let (is_amid, is_tls) = {
        let own = wire.lock();
        (own.is_amid(), own.stream.is_tls())
    };
    // Where nothing more comes, to close a bare connection tells its end as well.
    if is_amid || is_tls {
        poll_fn(|cx| Pin::new(&mut wire.lock().stream).poll_shutdown(cx)).await?;
    }
    if !is_amid {
        return Ok(());
    }
    let mut until = Box::pin(sleep(LINGER));
    let mut left = LINGER_BYTES;
    poll_fn(|cx| poll_linger(wire, until.as_mut(), &mut left, cx)).await;
    Ok(())
}

fn poll_linger(
    wire: &Shared,
    mut until: Pin<&mut Sleep>,
    left: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let mut space = [MaybeUninit::uninit(); PIECE];
    while *left > 0 && until.as_mut().poll(cx).is_pending() {
        let mut piece = ReadBuf::uninit(&mut space);
        let read = ready!(Pin::new(&mut wire.lock().stream).poll_read(cx, &mut piece));
        if read.is_err() || piece.filled().is_empty() {
            break;
        }
        *left = left.saturating_sub(piece.filled().len());
    }
    Poll::Ready(())
}
