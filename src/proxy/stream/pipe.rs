//! The pipe behind a 101: bytes pass unaltered and at once both ways, and are shown to a watcher.
//!
//! One buffer each way is all that is held: who does not read is not read for. One direction may
//! end before the other.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::guard::stream::Side;
use crate::guard::watch::Passage;

/// Bytes that are held each way.
const BUFFER: usize = 8 * 1024;

/// How long a stream that is over may be silent before its connections are let go: one side said
/// goodbye or left, and the other one does not follow.
const LINGER: Duration = Duration::from_mins(1);

/// Code 1011, with nothing to add: the server met what it did not expect.
const CLOSE_1011: [u8; 4] = [0x88, 2, 0x03, 0xf3];

/// Code 1001, with nothing to add: the server goes away.
const CLOSE_1001: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// The same as a client says it: with a mask, and under one of zeros it reads the same.
const MASKED_CLOSE_1001: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// How long Twilio may take to read that and to leave.
const LEAVING: Duration = Duration::from_secs(5);

/// How long both sides may take to end their frames and to leave, when the guard goes away.
pub(super) const GOING_AWAY: Duration = Duration::from_secs(1);

/// Sees what passes.
pub(super) trait Watcher {
    /// The next bytes from one side, and what of them may go on.
    fn see(&mut self, from: Side, chunk: &[u8]) -> Passage;

    /// One side's connection ended.
    fn ended(&mut self, side: Side);

    /// Whether a frame of the guard's own may go on behind what went on from this side.
    fn is_at_border(&self, from: Side) -> bool;

    /// Whether the stream is over, and only the connections are still to end.
    fn is_over(&self) -> bool;
}

/// Joins both sides until both are done, or one fails, or the guard goes away.
pub(super) async fn join<T, B, W>(
    mut twilio: T,
    mut backend: B,
    watcher: &mut W,
    goes_away: impl Future<Output = ()>,
) where
    T: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
    W: Watcher,
{
    let mut pipe = Pipe {
        twilio: &mut twilio,
        backend: &mut backend,
        inbound: Lane::new(Side::Twilio),
        outbound: Lane::new(Side::Backend),
        linger: None,
    };
    let end = tokio::select! {
        biased;
        end = poll_fn(|cx| pipe.poll(cx, watcher)) => end,
        () = goes_away => End::GoingAway,
    };
    match end {
        End::GoingAway => {
            let _ = timeout(GOING_AWAY, pipe.leave(watcher)).await;
        }
        End::Both => {}
        End::Fault(side, error) => {
            watcher.ended(side);
            tracing::debug!(?side, %error, "a stream's connection failed");
        }
        End::Stopped => {
            drop(backend);
            let _ = timeout(LEAVING, say_goodbye(&mut twilio)).await;
        }
    }
}

/// Closes Twilio's side for the backend, and waits for it to leave.
async fn say_goodbye(twilio: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    twilio.write_all(&CLOSE_1011).await?;
    twilio.shutdown().await?;
    gone(twilio).await
}

/// Waits for a side to leave. Bytes left unread would turn the end into a reset, and lose the close
/// frame.
async fn gone(side: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut rest = [0; 1024];
    while side.read(&mut rest).await? > 0 {}
    Ok(())
}

/// How the pipe came to its end.
enum End {
    /// Both directions are done.
    Both,
    /// This side's connection failed.
    Fault(Side, io::Error),
    /// The guard goes away.
    GoingAway,
    /// The backend's bytes must not go on.
    Stopped,
}

struct Pipe<'p, T, B> {
    twilio: &'p mut T,
    backend: &'p mut B,
    inbound: Lane,
    outbound: Lane,
    /// Runs while the stream is over; with the bytes that had passed when it was set.
    linger: Option<(Pin<Box<Sleep>>, u64)>,
}

impl<T, B> Pipe<'_, T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    fn poll(&mut self, cx: &mut Context<'_>, watcher: &mut impl Watcher) -> Poll<End> {
        let inbound = self.inbound.poll(cx, self.twilio, self.backend, watcher);
        if let Poll::Ready(Err(end)) = inbound {
            return Poll::Ready(end);
        }
        let outbound = self.outbound.poll(cx, self.backend, self.twilio, watcher);
        match (inbound, outbound) {
            (_, Poll::Ready(Err(end))) => Poll::Ready(end),
            (Poll::Ready(_), Poll::Ready(_)) => Poll::Ready(End::Both),
            _ if watcher.is_over() => self.poll_linger(cx),
            _ => Poll::Pending,
        }
    }

    /// Ends both directions with a close frame, each at the next border of its frames.
    async fn leave(&mut self, watcher: &mut impl Watcher) {
        self.inbound.goodbye = Some(&MASKED_CLOSE_1001);
        self.outbound.goodbye = Some(&CLOSE_1001);
        poll_fn(|cx| self.poll(cx, watcher)).await;
        let _ = tokio::join!(gone(self.twilio), gone(self.backend));
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let passed = self.inbound.passed + self.outbound.passed;
        let (sleep, before) = self.linger.get_or_insert_with(|| (Box::pin(sleep(LINGER)), passed));
        if *before != passed {
            *before = passed;
            sleep.as_mut().reset(Instant::now() + LINGER);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(End::Both)
    }
}

/// One direction.
struct Lane {
    from: Side,
    buffer: Box<[u8]>,
    /// What is still to be written.
    start: usize,
    /// What may be written.
    free: usize,
    /// What was read.
    end: usize,
    passed: u64,
    state: State,
    needs_flush: bool,
    /// What ends this direction as soon as nothing else is on its way.
    goodbye: Option<&'static [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more comes.
    Ended,
    /// Nothing more may come.
    Stopped,
    /// The reader's side knows that nothing more comes.
    Done,
}

impl Lane {
    fn new(from: Side) -> Self {
        Self {
            from,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            free: 0,
            end: 0,
            passed: 0,
            state: State::Open,
            needs_flush: false,
            goodbye: None,
        }
    }

    fn to(&self) -> Side {
        match self.from {
            Side::Backend => Side::Twilio,
            Side::Twilio => Side::Backend,
        }
    }

    /// Moves bytes until a side lets wait; ready once this direction is done.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
        watcher: &mut impl Watcher,
    ) -> Poll<Result<(), End>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (from, to) = (self.from, self.to());
        loop {
            ready!(self.poll_write(cx, writer)).map_err(|error| End::Fault(to, error))?;
            match self.state {
                State::Open => {
                    if let Some(goodbye) = self.goodbye
                        && watcher.is_at_border(from)
                    {
                        self.end_with(goodbye);
                        continue;
                    }
                }
                State::Ended => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx))
                        .map_err(|error| End::Fault(to, error))?;
                    self.state = State::Done;
                    return Poll::Ready(Ok(()));
                }
                State::Stopped => return Poll::Ready(Err(End::Stopped)),
                State::Done => return Poll::Ready(Ok(())),
            }
            match self.poll_read(cx, reader) {
                Poll::Ready(Ok(before)) if before == self.end => {
                    watcher.ended(from);
                    self.free = self.end;
                    self.state = State::Ended;
                }
                Poll::Ready(Ok(before)) => {
                    let chunk = self.buffer.get(before..self.end).unwrap_or_default();
                    match watcher.see(from, chunk) {
                        Passage::But(held) => self.free = self.end.saturating_sub(held),
                        Passage::Stop(stopped) => {
                            self.free = self.end.saturating_sub(stopped);
                            self.state = State::Stopped;
                        }
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(End::Fault(from, error))),
                Poll::Pending => {
                    if self.needs_flush {
                        ready!(Pin::new(&mut *writer).poll_flush(cx))
                            .map_err(|error| End::Fault(to, error))?;
                        self.needs_flush = false;
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Lets these bytes be the last ones, in place of what is held.
    fn end_with(&mut self, bytes: &[u8]) {
        self.buffer = bytes.into();
        (self.start, self.free, self.end) = (0, bytes.len(), bytes.len());
        self.state = State::Ended;
    }

    /// Writes what may go on.
    fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        writer: &mut W,
    ) -> Poll<io::Result<()>> {
        while self.start < self.free {
            let bytes = self.buffer.get(self.start..self.free).unwrap_or_default();
            let written = ready!(Pin::new(&mut *writer).poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.start += written;
            self.passed += written as u64;
            self.needs_flush = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads on behind what is held; gives where the new bytes begin.
    fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
    ) -> Poll<io::Result<usize>> {
        // Everything free is written: what is left is a piece of a header.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.free) = (0, 0);
        let before = self.end;
        let mut space = ReadBuf::new(self.buffer.get_mut(before..).unwrap_or_default());
        ready!(Pin::new(reader).poll_read(cx, &mut space))?;
        self.end += space.filled().len();
        Poll::Ready(Ok(before))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::duplex;

    use super::*;

    /// Takes the stream for over once a byte came from the backend.
    #[derive(Debug, Default)]
    struct Once {
        is_over: bool,
    }

    impl Watcher for Once {
        fn see(&mut self, from: Side, _: &[u8]) -> Passage {
            self.is_over |= from == Side::Backend;
            Passage::But(0)
        }

        fn ended(&mut self, _: Side) {}

        fn is_over(&self) -> bool {
            self.is_over
        }

        fn is_at_border(&self, _: Side) -> bool {
            !self.is_over
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_let_go_after_a_minute_of_silence() {
        let (mut caller, twilio) = duplex(64);
        let (mut handler, backend) = duplex(64);
        let start = Instant::now();
        let joined = tokio::spawn(async move {
            join(twilio, backend, &mut Once::default(), pending()).await;
            start.elapsed()
        });
        // An open stream may be silent for as long as it likes.
        sleep(Duration::from_mins(10)).await;
        assert!(!joined.is_finished());
        handler.write_all(b"x").await.unwrap();
        sleep(Duration::from_secs(50)).await;
        // What still passes begins the minute anew.
        caller.write_all(b"y").await.unwrap();
        sleep(Duration::from_secs(50)).await;
        assert!(!joined.is_finished());
        let expected = Duration::from_secs(600 + 50 + 60);
        let took = joined.await.unwrap();
        assert!(took >= expected && took < expected + Duration::from_secs(1), "{took:?}");
        let mut rest = Vec::new();
        caller.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"x");
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_leaves_the_other_in_silence_is_followed() {
        let (caller, twilio) = duplex(64);
        let (mut handler, backend) = duplex(64);
        drop(caller);
        let joined =
            tokio::spawn(
                async move { join(twilio, backend, &mut Once::default(), pending()).await },
            );
        let mut rest = Vec::new();
        handler.read_to_end(&mut rest).await.unwrap();
        drop(handler);
        joined.await.unwrap();
    }
}
