//! Steps of calls and messages: kept by SID, in their order.

use rusqlite::types::Value;
use rusqlite::{Transaction, params};

use super::convert::{blob_to_sid, number, sid_to_blob};
use super::{Reader, StoreError};
use crate::incidents::timeline::Step;

/// Steps that are kept of one call.
pub const MOST_STEPS: i64 = 100;
/// SIDs that a piece of one is looked up for.
const MOST_SIDS: usize = 10;

/// Adds steps of a call; the last ones stay.
pub(super) fn write(db: &Transaction<'_>, sid: &str, steps: &[Step]) -> Result<(), StoreError> {
    let sid = sid_to_blob(sid);
    let mut insert = db.prepare_cached("INSERT INTO step(sid, time_ms, json) VALUES (?, ?, ?)")?;
    for step in steps {
        // A step that can't be written is no reason to lose the others.
        let Ok(json) = serde_json::to_string(step) else { continue };
        insert.execute(params![sid, number(step.time_ms), json])?;
    }
    // A limit that is bound would have the statement prepared anew each time.
    const { assert!(MOST_STEPS == 100) };
    db.prepare_cached(
        "DELETE FROM step WHERE sid = ?1 AND (time_ms, seq) <=
            (SELECT time_ms, seq FROM step WHERE sid = ?1 ORDER BY time_ms DESC, seq DESC LIMIT 1 OFFSET 100)",
    )?
    .execute(params![sid])?;
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
