//! `/api/tail`: incidents as they are recorded, as server-sent events.
//!
//! Each client reads the store at its own pace, so that none can make another one wait, and a client
//! that comes back with `Last-Event-ID` misses nothing.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::reply::{Refusal, Reply, ReplyBody, reply};
use super::store::{Store, ended, refusal};
use crate::incidents::store::{Filter, Reader, StoreError, StoredIncident};
use crate::incidents::view::IncidentView;

/// Clients at once, over all listeners.
const MAX_CLIENTS: usize = 16;
/// How often it is looked for new incidents.
const LOOK: Duration = Duration::from_millis(250);
/// Incidents that are read at once.
const BATCH: usize = 200;
/// A sign of life, so that nobody between takes the silence for an end.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_mins(1);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The clients that follow along.
#[derive(Debug)]
pub(super) struct Tails(Arc<Semaphore>);

impl Default for Tails {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_CLIENTS)))
    }
}

impl Tails {
    /// Begins to follow: from now on, or after the event that the client names.
    pub(super) async fn follow(
        &self,
        store: &Store,
        filter: Filter,
        headers: &HeaderMap,
        is_head: bool,
    ) -> Result<Reply, Refusal> {
        let last = last_event(headers)?;
        let path = store.path()?;
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else {
            let message =
                format!("expected at most {MAX_CLIENTS} clients that follow along; close one");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after("5"));
        };
        let (place, found) = look(Place { path, filter, last, open: None, seen: None }).await?;
        let found = found.map_err(refusal)?;
        let (events, body) = channel(4);
        if !is_head {
            tokio::spawn(async move {
                let _permit = permit;
                // Where it ends, nobody listens any more.
                let _ = send(place, found, events).await;
            });
        }
        Ok(stream(body))
    }
}

fn stream(body: Receiver<Bytes>) -> Reply {
    reply(StatusCode::OK, "text/event-stream; charset=utf-8", ReplyBody::Stream(body))
}

fn last_event(headers: &HeaderMap) -> Result<Option<Uuid>, Refusal> {
    let Some(value) = headers.get(&LAST_EVENT_ID) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    match text.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) => Err(Refusal::parameter("Last-Event-ID", "the id of an event", text)),
    }
}

/// Nobody takes what is sent.
struct Gone;

/// Sends what is found, and what will be, until the client is gone.
async fn send(
    mut place: Place,
    mut found: Vec<StoredIncident>,
    events: Sender<Bytes>,
) -> Result<(), Gone> {
    give(&events, Bytes::from_static(b"retry: 2000\n\n")).await?;
    let mut said = Instant::now();
    loop {
        let is_more = found.len() == BATCH;
        if !found.is_empty() {
            let text = found.drain(..).map(event).collect::<String>();
            give(&events, text.into()).await?;
            said = Instant::now();
        } else if said.elapsed() >= HEARTBEAT {
            give(&events, Bytes::from_static(b": still here\n\n")).await?;
            said = Instant::now();
        }
        if !is_more {
            tokio::select! {
                () = events.closed() => return Err(Gone),
                () = sleep(LOOK) => {}
            }
        }
        let (back, looked) = look(place).await.map_err(|_| Gone)?;
        place = back;
        // A store that can't be read now may be there again later.
        found = looked.unwrap_or_default();
    }
}

async fn give(events: &Sender<Bytes>, text: Bytes) -> Result<(), Gone> {
    match timeout(PATIENCE, events.send(text)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(Gone),
    }
}

fn event(incident: StoredIncident) -> String {
    let id = incident.row.id;
    let view = IncidentView::new(incident, None);
    // JSON has no line ends in it, which would end the event.
    let data = serde_json::to_string(&view).unwrap_or_default();
    format!("event: incident\nid: {id}\ndata: {data}\n\n")
}

/// Where a client is.
struct Place {
    path: PathBuf,
    filter: Filter,
    /// The incident after which it begins.
    last: Option<Uuid>,
    open: Option<Reader>,
    /// Which file is read (device and inode), and the last incident there that was looked at.
    seen: Option<(File, i64)>,
}

type File = Option<(u64, u64)>;

/// Looks for what is new, off the thread that serves.
async fn look(
    mut place: Place,
) -> Result<(Place, Result<Vec<StoredIncident>, StoreError>), Refusal> {
    let looked = spawn_blocking(move || {
        let found = place.look();
        if found.is_err() {
            place.open = None;
        }
        (place, found)
    });
    looked.await.map_err(|_| ended())
}

impl Place {
    /// What was recorded since the last look.
    fn look(&mut self) -> Result<Vec<StoredIncident>, StoreError> {
        let file = file(&self.path);
        if let Some((seen, _)) = self.seen
            && seen != file
        {
            // A file that takes the place of another one is new as a whole.
            self.open = None;
            self.seen = Some((file, 0));
        }
        let reader = match self.open.take() {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        let seq = match self.seen {
            Some((_, seq)) => seq,
            None => self.first(&reader)?,
        };
        let latest = reader.latest()?;
        let found = reader.after(seq, &self.filter, BATCH)?;
        let last = found.last().map_or(seq, |incident| incident.seq);
        // What the filter does not take need not be looked at again.
        let looked_at = if found.len() < BATCH { latest.max(last) } else { last };
        self.seen = Some((file, looked_at));
        self.open = Some(reader);
        Ok(found)
    }

    /// Where it begins: now, or after the incident that is named. Where that is not kept any more,
    /// everything that is kept came after it.
    fn first(&self, reader: &Reader) -> Result<i64, StoreError> {
        let Some(id) = self.last else { return reader.latest() };
        Ok(reader.by_prefix(&id.to_string())?.first().map_or(0, |incident| incident.seq))
    }
}

fn file(path: &Path) -> File {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
