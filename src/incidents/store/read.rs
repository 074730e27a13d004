//! What is read: outbreaks, incidents, records, traffic.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, params, params_from_iter};
use serde::Serialize;
use uuid::Uuid;

use super::convert::{count, number, sid, unlist, unpack, unsigned};
use super::{Filter, Page, StoreError, open, schema};
use crate::incidents::outbreak::{Earlier, Outbreak};
use crate::incidents::record::{Record, Row};
pub use crate::incidents::traffic::{Durations, Traffic};

/// Reads the store, while it is written or not.
#[derive(Debug)]
pub struct Reader {
    pub(super) db: Connection,
    version: i64,
}

/// An incident as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredIncident {
    /// Its place in the order of recording: grows.
    #[serde(skip)]
    pub seq: i64,
    /// Its outbreak.
    pub outbreak: Uuid,
    /// Whether the whole record is kept.
    pub whole: bool,
    /// What every incident keeps.
    #[serde(flatten)]
    pub row: Row,
}

const INCIDENT: &str = "SELECT i.seq, i.id, i.time_ms, o.route, i.slot, i.method, i.path, i.call, i.message, i.outcome, i.observe,
        o.cause, i.causes, i.codes, i.upstream_ms, i.budget_left_ms, o.id, EXISTS(SELECT 1 FROM record r WHERE r.seq = i.seq)";
const OUTBREAK: &str = "SELECT o.id, o.route, o.cause, o.codes, o.since_ms, o.last_ms, o.closed_ms, o.reopened, o.count, o.callers, o.observed, o.key";

impl Reader {
    /// The file's version when it was opened.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    /// Whatever [`incident`] reads, up to the conditions.
    pub(super) fn select_incidents(&self) -> String {
        let own = match self.version {
            ..3 => "NULL, NULL, NULL, NULL, NULL, NULL, NULL",
            _ => "i.role, i.parent, i.belief, i.call_status, i.stream, i.signature, i.summary",
        };
        format!("{INCIDENT}, {own} FROM incident i JOIN outbreak o ON o.key = i.outbreak")
    }

    /// Whatever [`outbreak`] reads, up to the conditions.
    pub(super) fn select_outbreaks(&self) -> String {
        let own = if self.version < 3 { "NULL" } else { "o.summary" };
        format!("{OUTBREAK}, {own} FROM outbreak o")
    }

    /// Opens the store at this path; it must be there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let db = open::for_reading(path)?;
        let version = schema::version(&db)?;
        Ok(Self { db, version })
    }

    /// Outbreaks with an incident that the filter takes, open ones first, the latest activity first.
    /// Without `all` only open ones, and where none is open none. The page begins behind the
    /// outbreak `page.before`; behind one that is not there, there is nothing.
    pub fn outbreaks(
        &self,
        filter: &Filter,
        all: bool,
        page: Page,
    ) -> Result<Vec<Outbreak>, StoreError> {
        let (conditions, mut values) = filter.conditions();
        let open = if all { "1" } else { "o.closed_ms IS NULL" };
        let chosen = if filter.is_empty() {
            values.clear();
            "1".to_owned()
        } else {
            format!("EXISTS(SELECT 1 FROM incident i WHERE i.outbreak = o.key AND {conditions})")
        };
        let behind = match page.before {
            None => "1",
            Some(id) => {
                values.push(Value::Blob(id.as_bytes().to_vec()));
                "(o.closed_ms IS NOT NULL, -o.last_ms, -o.key) >
                    (SELECT closed_ms IS NOT NULL, -last_ms, -key FROM outbreak WHERE id = ?)"
            }
        };
        values.push(Value::Integer(limit_of(page.limit)));
        let sql = format!(
            "{} WHERE {open} AND {chosen} AND {behind}
             ORDER BY o.closed_ms IS NOT NULL, o.last_ms DESC, o.key DESC LIMIT ?",
            self.select_outbreaks()
        );
        self.all(&sql, values, outbreak)
    }

    /// One outbreak.
    pub fn outbreak(&self, id: Uuid) -> Result<Option<Outbreak>, StoreError> {
        let sql = format!("{} WHERE o.id = ?", self.select_outbreaks());
        Ok(self.db.prepare_cached(&sql)?.query_row([id.as_bytes()], outbreak).optional()?)
    }

    /// Incidents that the filter takes, newest first.
    pub fn incidents(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<Vec<StoredIncident>, StoreError> {
        let (conditions, mut values) = filter.conditions();
        let before = match page.before {
            None => i64::MAX,
            Some(id) => self.seq(id)?.unwrap_or_default(),
        };
        values.push(Value::Integer(before));
        values.push(Value::Integer(limit_of(page.limit)));
        let select = self.select_incidents();
        let sql = format!("{select} WHERE {conditions} AND i.seq < ? ORDER BY i.seq DESC LIMIT ?");
        self.all(&sql, values, incident)
    }

    /// How many incidents the filter takes.
    pub fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        let (conditions, values) = filter.conditions();
        let sql = format!(
            "SELECT count(*) FROM incident i JOIN outbreak o ON o.key = i.outbreak WHERE {conditions}"
        );
        let found =
            self.db.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(count(found))
    }

    /// Incidents that were recorded after this one, oldest first: for following along.
    pub fn after(
        &self,
        seq: i64,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<StoredIncident>, StoreError> {
        let (conditions, mut values) = filter.conditions();
        values.push(Value::Integer(seq));
        values.push(Value::Integer(limit_of(limit)));
        let select = self.select_incidents();
        let sql = format!("{select} WHERE {conditions} AND i.seq > ? ORDER BY i.seq LIMIT ?");
        self.all(&sql, values, incident)
    }

    /// The latest incident's place in the order of recording; 0 where there is none.
    pub fn latest(&self) -> Result<i64, StoreError> {
        Ok(self.db.query_row("SELECT coalesce(max(seq), 0) FROM incident", [], |row| row.get(0))?)
    }

    /// The incidents whose id begins so, at most ten.
    pub fn by_prefix(&self, prefix: &str) -> Result<Vec<StoredIncident>, StoreError> {
        let Some((from, to)) = range(prefix) else { return Ok(Vec::new()) };
        let select = self.select_incidents();
        let sql = format!("{select} WHERE i.id BETWEEN ? AND ? ORDER BY i.seq LIMIT 10");
        self.all(&sql, vec![Value::Blob(from.to_vec()), Value::Blob(to.to_vec())], |row| {
            incident(row)
        })
    }

    /// The whole record of an incident, where it is kept.
    pub fn record(&self, seq: i64) -> Result<Option<Record>, StoreError> {
        let blob: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT json FROM record WHERE seq = ?")?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        blob.map(|blob| unpack(&blob)).transpose()
    }

    /// What became of all answers from this time on, one entry for each minute and route.
    pub fn traffic(&self, since_ms: u64) -> Result<Vec<Traffic>, StoreError> {
        if self.version < 2 {
            return Ok(Vec::new());
        }
        self.all(
            "SELECT minute, route, untouched, repaired, replaced, failed, would_have, upstream FROM traffic
             WHERE minute >= ? ORDER BY minute, route",
            vec![Value::Integer(number(since_ms / 60_000))],
            |row| {
                let upstream: Vec<u8> = row.get(7)?;
                Ok(Traffic {
                    minute: count(row.get(0)?),
                    route: row.get(1)?,
                    untouched: count(row.get(2)?),
                    repaired: count(row.get(3)?),
                    replaced: count(row.get(4)?),
                    failed: count(row.get(5)?),
                    would_have: count(row.get(6)?),
                    upstream: Durations::from_blob(&upstream),
                })
            },
        )
    }

    /// Outbreaks to go on with, each with its callers: open ones, and closed ones since a time.
    pub(super) fn to_go_on_with(&self, since_ms: u64) -> Result<Vec<Earlier>, StoreError> {
        let sql = format!(
            "{} WHERE o.closed_ms IS NULL OR o.last_ms >= ? ORDER BY o.last_ms DESC LIMIT 1000",
            self.select_outbreaks()
        );
        let found: Vec<(Outbreak, i64)> =
            self.all(&sql, vec![Value::Integer(number(since_ms))], |row| {
                Ok((outbreak(row)?, row.get(11)?))
            })?;
        let callers = |key: i64| -> Result<HashSet<u64>, StoreError> {
            let mut statement = self.db.prepare_cached(
                "SELECT caller FROM outbreak_caller WHERE outbreak = ? LIMIT 10000",
            )?;
            let rows = statement.query_map(params![key], |row| row.get(0).map(unsigned))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        found.into_iter().map(|(outbreak, key)| Ok((outbreak, callers(key)?))).collect()
    }

    fn seq(&self, id: Uuid) -> Result<Option<i64>, StoreError> {
        let mut statement = self.db.prepare_cached("SELECT seq FROM incident WHERE id = ?")?;
        Ok(statement.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: Vec<Value>,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params_from_iter(values), read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

pub(super) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn id(row: &SqlRow<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(Uuid::from_bytes(bytes))
}

fn codes(list: &str) -> Vec<u32> {
    unlist(list).filter_map(|code| code.parse().ok()).collect()
}

pub(super) fn outbreak(row: &SqlRow<'_>) -> rusqlite::Result<Outbreak> {
    Ok(Outbreak {
        id: id(row, 0)?,
        route: row.get(1)?,
        cause: row.get(2)?,
        codes: codes(&row.get::<_, String>(3)?),
        since_ms: count(row.get(4)?),
        last_ms: count(row.get(5)?),
        closed_ms: row.get::<_, Option<i64>>(6)?.map(count),
        reopened: row.get(7)?,
        count: count(row.get(8)?),
        callers: count(row.get(9)?),
        observed: count(row.get(10)?),
        summary: row.get(12)?,
    })
}

pub(super) fn incident(row: &SqlRow<'_>) -> rusqlite::Result<StoredIncident> {
    let causes: String = row.get(12)?;
    Ok(StoredIncident {
        seq: row.get(0)?,
        outbreak: id(row, 16)?,
        whole: row.get(17)?,
        row: Row {
            id: id(row, 1)?,
            time_ms: count(row.get(2)?),
            route: row.get(3)?,
            slot: row.get(4)?,
            method: row.get(5)?,
            path: row.get(6)?,
            call_sid: sid(row.get_ref(7)?),
            message_sid: sid(row.get_ref(8)?),
            role: row.get(18)?,
            parent: row.get(19)?,
            belief: row.get(20)?,
            call_status: row.get(21)?,
            stream: row.get(22)?,
            signature: row.get(23)?,
            summary: row.get(24)?,
            outcome: row.get(9)?,
            observe: row.get(10)?,
            cause: row.get(11)?,
            causes: unlist(&causes).map(str::to_owned).collect(),
            codes: codes(&row.get::<_, String>(13)?),
            upstream_ms: count(row.get(14)?),
            budget_left_ms: count(row.get(15)?),
        },
    })
}

/// The first and the last id that begins with these hexadecimal digits; dashes don't matter.
pub(super) fn range(prefix: &str) -> Option<([u8; 16], [u8; 16])> {
    let digits: String = prefix.chars().filter(|c| *c != '-').collect();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let filled = |with: char| {
        let whole: String = digits.chars().chain(std::iter::repeat(with)).take(32).collect();
        u128::from_str_radix(&whole, 16).ok().map(u128::to_be_bytes)
    };
    Some((filled('0')?, filled('f')?))
}
