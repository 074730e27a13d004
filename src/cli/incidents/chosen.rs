//! Which incidents a command works on: named ones, or one of each outbreak that is going on.

use super::args::FilterArgs;
use super::source::Source;
use super::{Failure, show};
use crate::clock;
use crate::incidents::record::Record;
use crate::incidents::store::{Filter, Page, Reader, StoredIncident};

/// Open outbreaks that are worked on at most.
const MOST: usize = 1_000;
/// Paths of one outbreak that are worked on at most.
const MOST_PATHS: usize = 20;

/// An incident and its whole record.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The incident that is worked on.
    pub incident: StoredIncident,
    /// Its record; `None` if no record of its outbreak is kept whole.
    pub record: Option<Record>,
    /// The one that was named, where only its row was kept and another of its outbreak takes its
    /// place.
    pub in_place_of: Option<StoredIncident>,
}

/// The incidents of these ids; of an outbreak's id its newest.
pub(super) fn named(reader: &Reader, ids: &[String]) -> Result<Vec<Chosen>, Failure> {
    let mut all: Vec<Chosen> = Vec::new();
    for id in ids {
        let chosen = with_record(reader, show::find(reader, id)?)?;
        if all.iter().all(|other| other.incident.seq != chosen.incident.seq) {
            all.push(chosen);
        }
    }
    Ok(all)
}

/// Of each open outbreak that the filter takes, and of each path that it touched, the newest
/// incident whose record is kept: a route of several paths is fixed when all of them are.
pub(super) fn of_open_outbreaks(
    reader: &Reader,
    filter: &FilterArgs,
    source: &Source,
) -> Result<Vec<Chosen>, Failure> {
    let filter = filter.filter(source, clock::now_ms())?;
    let mut all = Vec::new();
    for outbreak in reader.outbreaks(&filter, false, Page { limit: MOST, before: None })? {
        let mut newest = reader.newest_whole_of_paths(outbreak.id, MOST_PATHS)?;
        if newest.is_empty() {
            let of = Filter { outbreak: Some(outbreak.id), ..Filter::default() };
            newest = reader.incidents(&of, Page { limit: 1, before: None })?;
        }
        for incident in newest {
            all.push(with_record(reader, incident)?);
        }
    }
    Ok(all)
}

/// An incident with its record, or the nearest of its outbreak that has one.
pub(super) fn with_record(reader: &Reader, incident: StoredIncident) -> Result<Chosen, Failure> {
    if let Some(record) = reader.record(incident.seq)? {
        return Ok(Chosen { incident, record: Some(record), in_place_of: None });
    }
    match reader.nearest_whole(incident.outbreak, incident.seq)? {
        Some(nearest) => Ok(Chosen {
            record: reader.record(nearest.seq)?,
            incident: nearest,
            in_place_of: Some(incident),
        }),
        None => Ok(Chosen { incident, record: None, in_place_of: None }),
    }
}
