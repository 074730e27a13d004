//! `incidents show`: one incident on one page.

mod bodies;
mod findings;
mod headers;
mod story;
mod timeline;
mod words;

use std::fmt::Write as _;

use serde::Serialize;
use uuid::Uuid;

use super::args::ShowArgs;
use super::source::Source;
use super::{Failure, row, say, say_json};
use crate::clock;
use crate::incidents::record::Record;
use crate::incidents::store::{Filter, Page as ListPage, Reader, StoreError, StoredIncident};
use crate::incidents::view::IncidentView;

/// Least digits of an id that are looked up.
const LEAST_DIGITS: usize = 4;

/// Shows what is asked for.
pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let source = Source::find(&args.store)?;
    let reader = source.open()?;
    let incident = find(&reader, &args.id)?;
    // One that was damaged, or written by a newer guard, hides the rest from nobody.
    let (record, unreadable) = match reader.record(incident.seq) {
        Ok(record) => (record, None),
        Err(StoreError::Record(why)) => (None, Some(why)),
        Err(error) => return Err(error.into()),
    };
    let nearest = if incident.whole {
        None
    } else {
        reader.nearest_whole(incident.outbreak, incident.seq)?
    };
    if args.json {
        let nearest_whole = nearest.map(|nearest| nearest.row.id);
        say_json(&Shown { incident: IncidentView::new(incident, record), nearest_whole })?;
        return Ok(());
    }
    let page = Page {
        reader: &reader,
        incident: &incident,
        record: record.as_ref(),
        unreadable: unreadable.as_deref(),
        nearest: nearest.as_ref(),
        full: args.full,
        now_ms: clock::now_ms(),
    };
    say(&page.text()?)?;
    Ok(())
}

/// An incident; where its record was not kept whole, the nearest of its outbreak whose was.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    incident: IncidentView,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest_whole: Option<Uuid>,
}

/// What a page is made of.
struct Page<'a> {
    reader: &'a Reader,
    incident: &'a StoredIncident,
    record: Option<&'a Record>,
    unreadable: Option<&'a str>,
    nearest: Option<&'a StoredIncident>,
    full: bool,
    now_ms: u64,
}

/// The one incident that is meant: by its id, by the beginning of it, or as an outbreak's.
pub(super) fn find(reader: &Reader, id: &str) -> Result<StoredIncident, Failure> {
    let id = id.trim();
    let digits = id.chars().filter(|c| *c != '-');
    if digits.clone().count() < LEAST_DIGITS || !digits.clone().all(|c| c.is_ascii_hexdigit()) {
        return Err(Failure::Usage(format!(
            "expected an incident's id or at least {LEAST_DIGITS} digits of its beginning, found `{id}`; `twiml-guard incidents` lists them"
        )));
    }
    let mut found = reader.by_prefix(id)?;
    match found.len() {
        0 => {}
        1 => return Ok(found.remove(0)),
        _ => return Err(ambiguous(id, &found)),
    }
    // The incident that opened an outbreak may be gone already.
    let outbreaks = reader.outbreaks_by_prefix(id)?;
    let latest = |outbreak: Uuid| -> Result<Option<StoredIncident>, Failure> {
        let filter = Filter { outbreak: Some(outbreak), ..Filter::default() };
        match reader.nearest_whole(outbreak, i64::MAX)? {
            Some(whole) => Ok(Some(whole)),
            None => Ok(reader.incidents(&filter, ListPage { limit: 1, before: None })?.pop()),
        }
    };
    let of_outbreak = match &outbreaks[..] {
        [outbreak] => latest(outbreak.id)?,
        _ => None,
    };
    of_outbreak.ok_or_else(|| {
        Failure::Usage(format!(
            "expected the id of an incident or an outbreak, found `{id}`, which none on record begins with; `twiml-guard incidents --each` lists them"
        ))
    })
}

fn ambiguous(id: &str, found: &[StoredIncident]) -> Failure {
    let mut message = format!(
        "expected the beginning of one incident's id, found `{id}`, which {}{} begin with; add digits:",
        if found.len() < 10 { "" } else { "at least " },
        found.len(),
    );
    for incident in found {
        let row = &incident.row;
        // Writing to a String can't fail.
        let _ = write!(message, "\n  {}  {}  {}", row.id, row::outcome(row), row.cause);
    }
    Failure::Usage(message)
}
