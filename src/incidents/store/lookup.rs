//! What is looked up around an incident: outbreaks by id, neighbours, counts over time.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::convert::{count, number};
use super::read::{incident, limit_of, outbreak, range};
use super::{Filter, Reader, StoreError, StoredIncident};
use crate::incidents::outbreak::Outbreak;

/// Incidents of one route and cause in one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The route's name.
    pub route: String,
    /// The cause that they are counted under.
    pub cause: String,
    /// The stretch: its start is this many times the step after the Unix epoch.
    pub stretch: u64,
    /// How many.
    pub count: u64,
}

impl Reader {
    /// The outbreaks whose id begins so, at most ten.
    pub fn outbreaks_by_prefix(&self, prefix: &str) -> Result<Vec<Outbreak>, StoreError> {
        let Some((from, to)) = range(prefix) else { return Ok(Vec::new()) };
        let select = self.select_outbreaks();
        let sql = format!("{select} WHERE o.id BETWEEN ? AND ? ORDER BY o.key LIMIT 10");
        self.all(&sql, vec![Value::Blob(from.to_vec()), Value::Blob(to.to_vec())], outbreak)
    }

    /// The incident of an outbreak whose whole record is kept and that was recorded nearest to this
    /// place in the order of recording.
    pub fn nearest_whole(&self, of: Uuid, seq: i64) -> Result<Option<StoredIncident>, StoreError> {
        let sql = format!(
            "{} JOIN record w ON w.seq = i.seq WHERE o.id = ? ORDER BY abs(i.seq - ?), i.seq LIMIT 1",
            self.select_incidents()
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        Ok(statement.query_row(params![of.as_bytes(), seq], incident).optional()?)
    }

    /// Of each path that an outbreak touched the newest incident whose whole record is kept, the
    /// newest first.
    pub fn newest_whole_of_paths(
        &self,
        of: Uuid,
        limit: usize,
    ) -> Result<Vec<StoredIncident>, StoreError> {
        let sql = format!(
            "{} WHERE i.seq IN (SELECT max(n.seq) FROM incident n JOIN record w ON w.seq = n.seq
             WHERE n.outbreak = (SELECT key FROM outbreak WHERE id = ?) GROUP BY n.method, n.path)
             ORDER BY i.seq DESC LIMIT ?",
            self.select_incidents()
        );
        let values = vec![Value::Blob(of.as_bytes().to_vec()), Value::Integer(limit_of(limit))];
        self.all(&sql, values, incident)
    }

    /// The paths of an outbreak's latest incidents, the most frequent first.
    pub fn paths(&self, of: Uuid) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT path FROM (SELECT path FROM incident
             WHERE outbreak = (SELECT key FROM outbreak WHERE id = ?) ORDER BY seq DESC LIMIT 1000)
             GROUP BY path ORDER BY count(*) DESC, path LIMIT 20";
        self.all(sql, vec![Value::Blob(of.as_bytes().to_vec())], |row| row.get(0))
    }

    /// How many incidents the filter takes in each stretch of `step_ms`, by route and cause.
    pub fn counts(&self, filter: &Filter, step_ms: u64) -> Result<Vec<Counts>, StoreError> {
        let (conditions, own) = filter.conditions();
        let mut values = vec![Value::Integer(number(step_ms.max(1)))];
        values.extend(own);
        let sql = format!(
            "SELECT o.route, o.cause, i.time_ms / ?, count(*) FROM incident i JOIN outbreak o ON o.key = i.outbreak
             WHERE {conditions} GROUP BY o.key, 3 ORDER BY 1, 2, 3"
        );
        self.all(&sql, values, |row| {
            Ok(Counts {
                route: row.get(0)?,
                cause: row.get(1)?,
                stretch: count(row.get(2)?),
                count: count(row.get(3)?),
            })
        })
    }
}
