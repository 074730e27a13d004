//! Reads the store, off the thread that serves.

use std::path::PathBuf;
use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::query::{Ask, Wanted};
use super::reply::Refusal;
use crate::incidents::identity::Identity;
use crate::incidents::store::{FILE, Filter, Page, Reader, StoreError};
use crate::incidents::view::{IncidentList, IncidentView, OutbreakPage};

/// Reads at once.
const MAX_READS: usize = 4;

/// The store of a state directory.
#[derive(Debug)]
pub(super) struct Store {
    state_dir: Option<PathBuf>,
    reads: Arc<Semaphore>,
}

impl Store {
    pub(super) fn new(state_dir: Option<PathBuf>) -> Self {
        Self { state_dir, reads: Arc::new(Semaphore::new(MAX_READS)) }
    }

    /// The file, there or not.
    pub(super) fn path(&self) -> Result<PathBuf, Refusal> {
        let folder = self.state_dir.as_ref();
        folder.map(|folder| folder.join(FILE)).ok_or_else(|| {
            let message = "incidents are not kept: there is no state directory; set state_dir";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })
    }

    /// The filter that is wanted, its number hashed with this store's key.
    pub(super) fn filter(&self, wanted: Wanted) -> Result<Filter, Refusal> {
        let Wanted { mut filter, number } = wanted;
        if let (Some(number), Some(folder)) = (number, &self.state_dir) {
            let identity = Identity::open(folder).map_err(|error| {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            })?;
            filter.number = Some(identity.hash(&number));
        }
        Ok(filter)
    }

    /// Reads a list.
    pub(super) async fn filtered<T: Send + 'static>(
        &self,
        ask: Ask,
        list: fn(&Reader, &Filter, Page, bool) -> Result<T, StoreError>,
    ) -> Result<T, Refusal> {
        let Ask { wanted, page, all } = ask;
        let filter = self.filter(wanted)?;
        self.read(move |reader| list(reader, &filter, page, all)).await
    }

    /// Reads; at most so many do at once, the others wait.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let path = self.path()?;
        let Ok(_permit) = self.reads.acquire().await else { return Err(ended()) };
        let result = spawn_blocking(move || read(&Reader::open(&path)?)).await;
        result.map_err(|_| ended())?.map_err(refusal)
    }
}

/// What is said while the guard stops.
pub(super) fn ended() -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the guard is stopping")
}

/// Why the store can't be read, now.
pub(super) fn refusal(error: StoreError) -> Refusal {
    let message = match error {
        StoreError::Missing { .. } => {
            "nothing is stored yet, or the store can't be written".to_owned()
        }
        error => error.to_string(),
    };
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message)
}

/// `/api/outbreaks`
pub(super) fn outbreaks(
    reader: &Reader,
    filter: &Filter,
    page: Page,
    all: bool,
) -> Result<OutbreakPage, StoreError> {
    let mut found = reader.outbreaks(filter, all, Page { limit: page.limit + 1, ..page })?;
    let next = cut(&mut found, page.limit, |outbreak| outbreak.id);
    Ok(OutbreakPage { outbreaks: found.into_iter().map(Into::into).collect(), next })
}

/// Cuts one entry more than the page holds; gives what to ask for next, if there is more.
fn cut<T>(found: &mut Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> Option<Uuid> {
    let is_last = found.len() <= limit;
    found.truncate(limit);
    found.last().filter(|_| !is_last).map(id)
}

/// `/api/incidents`
pub(super) fn incidents(
    reader: &Reader,
    filter: &Filter,
    page: Page,
    _: bool,
) -> Result<IncidentList, StoreError> {
    let mut found = reader.incidents(filter, Page { limit: page.limit + 1, ..page })?;
    let next = cut(&mut found, page.limit, |incident| incident.row.id);
    let incidents = found.into_iter().map(|stored| IncidentView::new(stored, None)).collect();
    Ok(IncidentList { incidents, next })
}

/// `/api/incidents/ID`
pub(super) fn by_id(
    reader: &Reader,
    prefix: &str,
) -> Result<Result<IncidentView, Refusal>, StoreError> {
    let is_id = prefix.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !is_id || prefix.is_empty() || prefix.len() > 36 {
        let expected = "an id, or the beginning of one";
        return Ok(Err(Refusal::parameter("ID", expected, prefix)));
    }
    let mut found = reader.by_prefix(prefix)?;
    if found.len() > 1 {
        let ids: Vec<_> = found.iter().map(|incident| incident.row.id).collect();
        let message = format!(
            "expected an id of one incident, found that several begin with `{prefix}`; give more of it"
        );
        return Ok(Err(Refusal::new(StatusCode::CONFLICT, message).with("ids", json!(ids))));
    }
    let Some(stored) = found.pop() else {
        let message = format!(
            "no incident has an id that begins with `{prefix}`; it may have been too old to be kept"
        );
        return Ok(Err(Refusal::new(StatusCode::NOT_FOUND, message)));
    };
    let record = reader.record(stored.seq)?;
    Ok(Ok(IncidentView::new(stored, record)))
}
