//! Follows a client's bytes from request to request: heads, then bodies to their very end.

use super::chunks::{Scanner, Then};
use super::fault::Fault;
use super::head::{Framing, Head, Limits, Reader, Verdict};
use super::layout::Layout;

/// Knows at every byte of a connection what it belongs to. Pure.
#[derive(Debug)]
pub struct Follower {
    limits: Limits,
    place: Place,
    /// Of the last whole head.
    layout: Layout,
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
    Refused(Fault),
    /// Behind a fault in a body.
    Broken(Fault),
}

/// What the next bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// So many of the bytes are understood; they are not shown again.
    pub used: usize,
    /// What they are.
    pub what: What,
}

/// What bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The beginning of something, to be shown again with more behind it; or framing.
    More,
    /// A whole head.
    Head(Head),
    /// A head that is refused, and with it all that follows.
    Refused(Fault),
    /// The last so many of the understood bytes are a body's.
    Data(usize),
    /// A WebSocket handshake was whole: the bytes are not HTTP, or not yet.
    Handshake,
    /// A body is refused, and with it all that follows.
    Broken(Fault),
}

impl Follower {
    /// At the beginning of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, place: Place::Head(Reader::default()), layout: Layout::default() }
    }

    /// Where the parts stand of the head that the last step was.
    pub(super) fn take_layout(&mut self) -> Layout {
        std::mem::take(&mut self.layout)
    }

    /// Whether it stands between two requests, as far as it was shown.
    pub fn is_between(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// How much of a body of known length is still to come.
    pub fn left(&self) -> Option<u64> {
        match self.place {
            Place::Length(left) => Some(left),
            Place::Head(_) => Some(0),
            _ => None,
        }
    }

    /// Takes one step: a head, a piece of a body, or what can be told of neither yet.
    pub fn step(&mut self, bytes: &[u8]) -> Step {
        match &mut self.place {
            Place::Handshake => Step { used: 0, what: What::Handshake },
            Place::Refused(fault) => Step { used: 0, what: What::Refused(*fault) },
            Place::Broken(fault) => Step { used: 0, what: What::Broken(*fault) },
            Place::Head(reader) => match reader.read(bytes, self.limits) {
                Verdict::Partial => Step { used: 0, what: What::More },
                Verdict::Complete(head) => {
                    self.layout = std::mem::take(reader).into_layout();
                    self.place = behind(head);
                    Step { used: head.len, what: What::Head(head) }
                }
                Verdict::Refused(fault) => {
                    self.place = Place::Refused(fault);
                    Step { used: 0, what: What::Refused(fault) }
                }
            },
            Place::Length(left) => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= used as u64;
                if *left == 0 {
                    self.place = Place::Head(Reader::default());
                }
                Step { used, what: if used > 0 { What::Data(used) } else { What::More } }
            }
            Place::Chunks(scanner) => {
                let scan = scanner.scan(bytes);
                let what = if scan.data > 0 { What::Data(scan.data) } else { What::More };
                match scan.then {
                    Then::More => {}
                    Then::Over => self.place = Place::Head(Reader::default()),
                    Then::Refused(fault) => self.place = Place::Broken(fault),
                }
                Step { used: scan.used, what }
            }
        }
    }

    #[cfg(any(test, fuzzing))]
    /// Takes steps as far as they lead; gives how many bytes are understood, and what stands behind
    /// them. `verdict` is called for each head, in order.
    pub fn follow(
        &mut self,
        bytes: &[u8],
        mut verdict: impl FnMut(Result<Head, Fault>),
    ) -> (usize, What) {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let (was_between, step) = (self.is_between(), self.step(rest));
            used += step.used;
            match step.what {
                What::Head(head) => verdict(Ok(head)),
                What::Refused(fault) => {
                    if was_between {
                        verdict(Err(fault));
                    }
                    return (used, step.what);
                }
                What::Handshake | What::Broken(_) => return (used, step.what),
                What::More if step.used == 0 && !matches!(self.place, Place::Broken(_)) => {
                    return (used, What::More);
                }
                What::Data(_) | What::More => {}
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
