//! Bodies that are read whole.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::sleep;

use super::room::{Full, Held};
use super::upstream::{AnswerBody, chain};
use crate::guard::BodyEnd;

/// How long nothing has to come before a body without a trusted end is looked at.
const QUIET: Duration = Duration::from_millis(200);

/// How reading a body whole ended; the error: there is no room for it.
pub(super) type End = Result<BodyEnd, Full>;

/// Reads a body whole: at most `limit` bytes, until `deadline`, as long as there is room to hold it.
///
/// Whatever came is given, however it ended; of a body that is too large, the piece that was one
/// too many as well, for whoever streams on from there.
pub(super) async fn collect<B>(
    body: &mut B,
    limit: usize,
    held: &mut Held,
    mut deadline: impl Future<Output = ()> + Unpin,
) -> (Bytes, End)
where
    B: Body<Data = Bytes, Error: Error> + Unpin,
{
    let mut read = Collected { announced: announced(body), ..Collected::default() };
    let end = loop {
        tokio::select! {
            biased;
            frame = body.frame() => if let Some(end) = read.take(frame, limit, held) { break end },
            () = &mut deadline => break Ok(BodyEnd::TooLate),
        }
    };
    (read.whole(), end)
}

/// The same for an answer: what comes behind its first piece is read to where all of it is gathered.
pub(super) async fn collect_answer(
    body: &mut AnswerBody,
    limit: usize,
    held: &mut Held,
    mut deadline: impl Future<Output = ()> + Unpin,
) -> (Bytes, End) {
    let mut read = Collected { announced: announced(body), ..Collected::default() };
    let end = loop {
        let step = poll_fn(|cx| read.poll_answer(cx, body, limit, held));
        tokio::select! {
            biased;
            end = step => if let Some(end) = end { break end },
            () = &mut deadline => break Ok(BodyEnd::TooLate),
        }
    };
    (read.whole(), end)
}

/// The same for a body whose end nobody announced: it is over, too, when nothing more comes for a
/// moment and `is_whole` says so.
pub(super) async fn collect_unframed(
    body: &mut AnswerBody,
    limit: usize,
    held: &mut Held,
    mut deadline: impl Future<Output = ()> + Unpin,
    is_whole: impl Fn(&[u8]) -> bool,
) -> (Bytes, End) {
    let mut read = Collected::default();
    let end = loop {
        tokio::select! {
            biased;
            frame = body.frame() => if let Some(end) = read.take(frame, limit, held) { break end },
            () = &mut deadline => break Ok(BodyEnd::TooLate),
            () = sleep(QUIET) => if is_whole(read.so_far()) { break Ok(BodyEnd::Complete) },
        }
    };
    (read.whole(), end)
}

/// Room for this much at most is made on a backend's word.
const BELIEVED: u64 = 64 * 1024;

/// How long a body says that it is, as far as that is believed.
fn announced(body: &impl Body) -> usize {
    let length = body.size_hint().exact().unwrap_or_default().min(BELIEVED);
    usize::try_from(length).unwrap_or_default()
}

/// What was read of a body.
#[derive(Debug, Default)]
struct Collected {
    announced: usize,
    first: Bytes,
    all: Option<BytesMut>,
}

impl Collected {
    /// Takes what came; `Some` when that was the end.
    fn take(
        &mut self,
        frame: Option<Result<Frame<Bytes>, impl Error>>,
        limit: usize,
        held: &mut Held,
    ) -> Option<End> {
        let data = match frame {
            None => return Some(Ok(BodyEnd::Complete)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => data,
                Err(_trailers) => return None,
            },
            Some(Err(error)) => return Some(Ok(BodyEnd::Truncated { detail: chain(&error) })),
        };
        let came = data.len();
        match &mut self.all {
            // The usual answer comes in one piece and is not copied.
            None if self.first.is_empty() => self.first = data,
            _ => self.joined(came).extend_from_slice(&data),
        }
        self.grown(came, limit, held)
    }

    /// The same, read to where it is gathered where that can be.
    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut AnswerBody,
        limit: usize,
        held: &mut Held,
    ) -> Poll<Option<End>> {
        if self.so_far().is_empty() || !body.comes_plainly() {
            let frame = ready!(Pin::new(body).poll_frame(cx));
            return Poll::Ready(self.take(frame, limit, held));
        }
        let all = self.joined(0);
        let before = all.len();
        if let Err(error) = ready!(body.poll_into(cx, all)) {
            return Poll::Ready(Some(Ok(BodyEnd::Truncated { detail: chain(&error) })));
        }
        let came = all.len() - before;
        Poll::Ready(self.grown(came, limit, held))
    }

    /// Where all of it is gathered, with room for so much more.
    fn joined(&mut self, more: usize) -> &mut BytesMut {
        self.all.get_or_insert_with(|| {
            let first = std::mem::take(&mut self.first);
            // And for a byte that nobody announced.
            let len = (first.len() + more).max(8 * 1024).max(self.announced + 1);
            let mut joined = BytesMut::with_capacity(len);
            joined.extend_from_slice(&first);
            joined
        })
    }

    /// So much was added; `Some` when that was too much.
    fn grown(&self, came: usize, limit: usize, held: &mut Held) -> Option<End> {
        match held.grow(came) {
            Ok(()) => (self.so_far().len() > limit).then_some(Ok(BodyEnd::TooLarge { limit })),
            Err(full) => Some(Err(full)),
        }
    }

    fn so_far(&self) -> &[u8] {
        self.all.as_ref().map_or(&self.first, |all| all)
    }

    fn whole(self) -> Bytes {
        self.all.map_or(self.first, BytesMut::freeze)
    }
}
