//! Follows a client's bytes from request to request: heads, then bodies to their very end.

use super::chunks::{Scanner, Then};
use super::fault::Fault;
use super::head::{Framing, Head, Limits, Reader, Verdict};

/// Knows at every byte of a connection what it belongs to. Pure.
#[derive(Debug)]
pub struct Follower {
    limits: Limits,
    place: Place,
}

/// Where in a request a connection is.
#[derive(Debug)]
enum Place {
    Head(Reader),
    Length(u64),
    Chunks(Scanner),
    /// Behind a WebSocket handshake, whose bytes are no requests.
    Handshake,
    /// Behind a fault in a head.
    Refused,
    /// Behind a fault in a body.
    Broken(Fault),
}

/// What stands behind the bytes that were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// What is left is the beginning of a head, to be shown again with more behind it.
    More,
    /// A handshake is whole: the rest is not HTTP, or not yet.
    Handshake,
    /// A head is refused.
    Refused,
    /// A body is.
    Broken(Fault),
}

impl Follower {
    /// At the beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, place: Place::Head(Reader::default()) }
    }

    /// Whether it stands between two requests, as far as it was shown.
    pub fn is_between(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// Follows bytes, those first that were left before; gives how many are understood, and what
    /// stands behind them. `verdict` is called for each head, in order.
    pub fn follow(
        &mut self,
        bytes: &[u8],
        mut verdict: impl FnMut(Result<Head, Fault>),
    ) -> (usize, Next) {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match &mut self.place {
                Place::Handshake => return (used, Next::Handshake),
                Place::Refused => return (used, Next::Refused),
                Place::Broken(fault) => return (used, Next::Broken(*fault)),
                _ if rest.is_empty() => return (used, Next::More),
                Place::Head(reader) => match reader.read(rest, self.limits) {
                    Verdict::Partial => return (used, Next::More),
                    Verdict::Complete(head) => {
                        used += head.len;
                        self.place = behind(head);
                        verdict(Ok(head));
                    }
                    Verdict::Refused(fault) => {
                        self.place = Place::Refused;
                        verdict(Err(fault));
                    }
                },
                Place::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    used += taken;
                    *left -= taken as u64;
                    if *left == 0 {
                        self.place = Place::Head(Reader::default());
                    }
                }
                Place::Chunks(scanner) => {
                    let scan = scanner.scan(rest);
                    used += scan.used;
                    match scan.then {
                        Then::More => {}
                        Then::Over => self.place = Place::Head(Reader::default()),
                        Then::Refused(fault) => self.place = Place::Broken(fault),
                    }
                }
            }
        }
    }
}

fn behind(head: Head) -> Place {
    match head.framing {
        _ if head.is_websocket => Place::Handshake,
        Framing::None => Place::Head(Reader::default()),
        Framing::Length(length) => Place::Length(length),
        Framing::Chunked => Place::Chunks(Scanner::default()),
    }
}
