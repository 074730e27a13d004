//! Retention: what is too old, and what is too much.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;
use super::convert::number;

/// Incidents that are deleted in one transaction.
const STEP: i64 = 5_000;
/// Of the largest size, what is left after it was reached: so that not every flush deletes.
const LEFT_TENTHS: u64 = 9;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// For how long.
    pub age: Duration,
    /// Up to how many bytes of file.
    pub bytes: u64,
}

/// Deletes what is older than allowed, then the oldest while the file is larger than allowed.
/// Gives how many incidents were deleted.
pub(super) fn retain(db: &mut Connection, keep: Keep, now_ms: u64) -> Result<usize, StoreError> {
    let age = u64::try_from(keep.age.as_millis()).unwrap_or(u64::MAX);
    let oldest_ms = now_ms.saturating_sub(age);
    let mut gone = 0;
    loop {
        let step = delete(db, "time_ms < ?", oldest_ms)?;
        gone += step;
        if step == 0 {
            break;
        }
    }
    let traffic =
        db.execute("DELETE FROM traffic WHERE minute < ?", [number(oldest_ms / 60_000)])?;
    let mut steps = db.execute("DELETE FROM step WHERE time_ms < ?", [number(oldest_ms)])?;
    if used(db)? > keep.bytes {
        while used(db)? > keep.bytes / 10 * LEFT_TENTHS {
            let step = delete(db, "?1 IS NOT NULL", 0)?;
            gone += step;
            let old = delete_steps(db)?;
            steps += old;
            if step + old == 0 {
                break;
            }
        }
    }
    if gone + traffic + steps > 0 {
        // Each step gives one page back.
        let mut vacuum = db.prepare("PRAGMA incremental_vacuum")?;
        let mut pages = vacuum.query([])?;
        while pages.next()?.is_some() {}
    }
    Ok(gone)
}

/// Deletes the oldest of those for which a condition holds, and outbreaks that are left without any.
fn delete(db: &mut Connection, condition: &str, value: u64) -> Result<usize, StoreError> {
    let transaction = db.transaction()?;
    let chosen = format!("SELECT seq FROM incident WHERE {condition} ORDER BY seq LIMIT {STEP}");
    transaction.execute(&format!("DELETE FROM record WHERE seq IN ({chosen})"), [number(value)])?;
    let gone = transaction
        .execute(&format!("DELETE FROM incident WHERE seq IN ({chosen})"), [number(value)])?;
    if gone > 0 {
        transaction.execute_batch(
            "DELETE FROM outbreak_caller WHERE outbreak NOT IN (SELECT outbreak FROM incident);
             DELETE FROM outbreak WHERE closed_ms IS NOT NULL AND key NOT IN (SELECT outbreak FROM incident);",
        )?;
    }
    transaction.commit()?;
    Ok(gone)
}

/// Deletes steps older than the oldest incident that is left, or the oldest where none is.
fn delete_steps(db: &Connection) -> Result<usize, StoreError> {
    Ok(db.execute(
        &format!(
            "DELETE FROM step WHERE seq IN (SELECT seq FROM step
             WHERE time_ms < (SELECT coalesce(min(time_ms), 9223372036854775807) FROM incident) ORDER BY time_ms LIMIT {STEP})"
        ),
        [],
    )?)
}

/// Bytes of the file that hold something.
fn used(db: &Connection) -> Result<u64, StoreError> {
    let pragma =
        |name| -> rusqlite::Result<i64> { db.pragma_query_value(None, name, |row| row.get(0)) };
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok(u64::try_from(pages * pragma("page_size")?).unwrap_or_default())
}

/// Bytes of the files on disk, the write-ahead log included.
pub(super) fn on_disk(path: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    size(path) + size(Path::new(&wal))
}
