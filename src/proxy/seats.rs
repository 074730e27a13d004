//! Which worker a connection goes to: the one with the fewest, whoever accepted it.
//!
//! All workers accept from one listener, and whoever is free takes what comes: left at that, one of
//! them may hold most connections, and their requests wait for each other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::headers::Peer;
use super::listener::Permit;
use super::socket::{Bare, Moving};

/// A connection on its way to another worker, with its seat there.
#[derive(Debug)]
pub(super) struct Sent {
    stream: Moving,
    peer: Peer,
    permit: Permit,
}

/// How many connections each worker has, and the way to it.
#[derive(Debug)]
struct Row(Vec<Place>);

#[derive(Debug)]
struct Place {
    taken: AtomicUsize,
    inbox: UnboundedSender<Sent>,
}

/// One connection's seat at a worker; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    row: Arc<Row>,
    at: usize,
}

/// One worker's view of all seats.
#[derive(Debug)]
pub(super) struct Seats {
    row: Arc<Row>,
    own: usize,
    inbox: UnboundedReceiver<Sent>,
}

impl Seats {
    /// For so many workers.
    pub(super) fn of(workers: usize) -> Vec<Self> {
        let (places, inboxes): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| {
                let (inbox, outbox) = unbounded_channel();
                (Place { taken: AtomicUsize::new(0), inbox }, outbox)
            })
            .unzip();
        let row = Arc::new(Row(places));
        let seats = inboxes.into_iter().enumerate();
        seats.map(|(own, inbox)| Self { row: Arc::clone(&row), own, inbox }).collect()
    }

    /// Seats a connection that this worker accepted; gives it back where it is to be served here.
    /// The error: it can't be moved, and is closed.
    pub(super) fn seat(
        &self,
        stream: Bare,
        peer: Peer,
        mut permit: Permit,
    ) -> io::Result<Option<(Bare, Peer, Permit)>> {
        let at = self.row.least(self.own);
        permit.sits(self.row.take(at));
        let Some(place) = self.row.0.get(at).filter(|_| at != self.own) else {
            return Ok(Some((stream, peer, permit)));
        };
        let sent = Sent { stream: stream.into_moving()?, peer, permit };
        let Err(unsent) = place.inbox.send(sent) else { return Ok(None) };
        // That worker has ended.
        let Sent { stream, peer, mut permit } = unsent.0;
        permit.sits(self.row.take(self.own));
        Ok(Some((stream.arrived()?, peer, permit)))
    }

    /// The next connection that another worker accepted for this one; never over.
    pub(super) async fn next(&mut self) -> io::Result<(Bare, Peer, Permit)> {
        match self.inbox.recv().await {
            Some(sent) => sent.arrived(),
            None => std::future::pending().await,
        }
    }

    /// What is on its way still, once this worker takes no more.
    pub(super) fn last(&mut self) -> impl Iterator<Item = io::Result<(Bare, Peer, Permit)>> {
        self.inbox.close();
        std::iter::from_fn(|| self.inbox.try_recv().ok().map(Sent::arrived))
    }
}

impl Sent {
    fn arrived(self) -> io::Result<(Bare, Peer, Permit)> {
        Ok((self.stream.arrived()?, self.peer, self.permit))
    }
}

impl Row {
    /// Who has the fewest; `own`, unless another one has fewer.
    fn least(&self, own: usize) -> usize {
        let taken = |at: usize| self.0.get(at).map_or(usize::MAX, |one| one.taken.load(Relaxed));
        (0..self.0.len()).min_by_key(|&at| (taken(at), at != own)).unwrap_or(own)
    }

    fn take(self: &Arc<Self>, at: usize) -> Seat {
        if let Some(place) = self.0.get(at) {
            place.taken.fetch_add(1, Relaxed);
        }
        Seat { row: Arc::clone(self), at }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(place) = self.row.0.get(self.at) {
            place.taken.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixStream;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::proxy::socket::Socket;

    const PEER: Peer = Peer { ip: None, is_tls: false };

    fn permit() -> Permit {
        Permit::new(Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap())
    }

    #[tokio::test]
    async fn a_connection_reaches_the_worker_that_has_fewer_and_works_there() {
        let [first, mut second] = <[Seats; 2]>::try_from(Seats::of(2)).unwrap();
        let (mut kept, mut clients) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (client, stream) = UnixStream::pair().unwrap();
            kept.extend(first.seat(Bare::Unix(stream), PEER, permit()).unwrap());
            clients.push(client);
        }
        assert_eq!(kept.len(), 2);
        let (stream, _, _held) = second.next().await.unwrap();
        Socket::Bare(stream).write_all(b"hello").await.unwrap();
        let mut said = String::new();
        clients[1].read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
        // One is on its way when the second worker takes no more: it is served there all the same.
        kept.extend(second.last().map(Result::unwrap));
        assert_eq!(kept.len(), 3);
        drop(kept);
        // What comes later stays where it was accepted, though it has more.
        let one = first.row.take(0);
        let (_client, stream) = UnixStream::pair().unwrap();
        assert!(first.seat(Bare::Unix(stream), PEER, permit()).unwrap().is_some());
        drop(one);
    }

    #[test]
    fn the_emptiest_row_is_filled_first_and_its_own_before_others() {
        let seats = Seats::of(3);
        let row = &seats[0].row;
        assert_eq!(row.least(1), 1);
        let mut taken: Vec<Seat> = (0..6).map(|_| row.take(row.least(0))).collect();
        assert!(row.0.iter().all(|place| place.taken.load(Relaxed) == 2));
        taken.retain(|seat| seat.at != 2);
        assert_eq!(row.least(0), 2);
        drop(taken);
        assert!(row.0.iter().all(|place| place.taken.load(Relaxed) == 0));
    }
}
