//! Steps of calls and messages: kept by SID, in their order.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{ToSql, Transaction, params, params_from_iter};

use super::convert::{blob_to_sid, number, sid_to_blob};
use super::{Reader, StoreError};
use crate::incidents::timeline::Step;

/// Steps that are kept of one call.
pub const MOST_STEPS: i64 = 100;
/// SIDs that a piece of one is looked up for.
const MOST_SIDS: usize = 10;

/// A row of a step.
struct Row {
    sid: Vec<u8>,
    time_ms: i64,
    json: String,
}

/// Adds steps of calls; the last ones of each stay.
pub(super) fn write<'s>(
    db: &Transaction<'_>,
    calls: impl Iterator<Item = (&'s str, &'s [Step])>,
) -> Result<(), StoreError> {
    let (mut sids, mut rows) = (BTreeSet::new(), Vec::new());
    for (sid, steps) in calls {
        let sid = sid_to_blob(sid);
        for step in steps {
            // A step that can't be written is no reason to lose the others.
            let Some(json) = json(step) else { continue };
            rows.push(Row { sid: sid.clone(), time_ms: number(step.time_ms), json });
        }
        sids.insert(sid);
    }
    let mut many = rows.chunks_exact(AT_ONCE);
    many.try_for_each(|rows| insert(db, &INSERT_MANY, rows))?;
    many.remainder().chunks(1).try_for_each(|rows| insert(db, &INSERT_ONE, rows))?;
    sids.iter().try_for_each(|sid| trim(db, sid))
}

fn json(step: &Step) -> Option<String> {
    let mut json = Vec::with_capacity(512);
    serde_json::to_writer(&mut json, step).ok()?;
    String::from_utf8(json).ok()
}

/// Steps that one statement writes: it costs more than they do.
const AT_ONCE: usize = 16;

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_of(AT_ONCE));

fn insert_of(rows: usize) -> String {
    format!("INSERT INTO step(sid, time_ms, json) VALUES {}", vec!["(?, ?, ?)"; rows].join(", "))
}

fn insert(db: &Transaction<'_>, sql: &str, rows: &[Row]) -> Result<(), StoreError> {
    let values =
        rows.iter().flat_map(|row| -> [&dyn ToSql; 3] { [&row.sid, &row.time_ms, &row.json] });
    db.prepare_cached(sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// Deletes the steps of a call but for the last ones. Few calls have more: so much is only read.
fn trim(db: &Transaction<'_>, sid: &[u8]) -> Result<(), StoreError> {
    let has_more = db
        .prepare_cached("SELECT 1 FROM step WHERE sid = ?1 LIMIT 1 OFFSET ?2")?
        .exists(params![sid, MOST_STEPS])?;
    if has_more {
        db.prepare_cached(
            "DELETE FROM step WHERE sid = ?1 AND seq NOT IN
                (SELECT seq FROM step WHERE sid = ?1 ORDER BY time_ms DESC, seq DESC LIMIT ?2)",
        )?
        .execute(params![sid, MOST_STEPS])?;
    }
    Ok(())
}

impl Reader {
    /// The steps that are kept of a call or message, in their order; the same may be there twice.
    pub fn steps(&self, sid: &str) -> Result<Vec<Step>, StoreError> {
        if self.version() < 3 {
            return Ok(Vec::new());
        }
        let sql = "SELECT json FROM step WHERE sid = ? ORDER BY time_ms, seq";
        let all: Vec<String> =
            self.all(sql, vec![Value::Blob(sid_to_blob(sid))], |row| row.get(0))?;
        // What a newer guard wrote otherwise hides the rest from nobody.
        Ok(all.iter().filter_map(|json| serde_json::from_str(json).ok()).collect())
    }

    /// The calls and messages on record whose SID begins or ends so, at most ten; `head` and `tail`
    /// must both fit.
    pub fn sids(&self, head: &str, tail: &str) -> Result<Vec<String>, StoreError> {
        let steps = if self.version() < 3 { "" } else { " UNION SELECT DISTINCT sid FROM step" };
        let sql = format!(
            "SELECT DISTINCT call FROM incident WHERE call IS NOT NULL
             UNION SELECT DISTINCT message FROM incident WHERE message IS NOT NULL{steps}"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let sid = blob_to_sid(&row.get::<_, Vec<u8>>(0)?);
            if sid.starts_with(head) && sid.ends_with(tail) {
                found.push(sid);
                if found.len() == MOST_SIDS {
                    break;
                }
            }
        }
        Ok(found)
    }
}
