//! The file: one row per callback, nothing left of those that are gone.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use crate::incidents::store::{StoreError, prepare_folder, quick_check};

/// The file's name in the state directory.
pub const FILE: &str = "callbacks.db";

/// What a row takes beside its texts, about.
const ROW_BYTES: usize = 256;

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It is damaged, and stays so.
    #[error("{0}")]
    Damaged(String),
    /// Anything else: no space, read-only, another guard's, …
    #[error("{0}")]
    Other(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{FromSqlConversionFailure, InvalidColumnType, Utf8Error};
        let code = error.sqlite_error_code();
        // Not even the guard's own tables hold what it writes there.
        let is_strange =
            matches!(error, FromSqlConversionFailure(..) | InvalidColumnType(..) | Utf8Error(..));
        match code {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ if is_strange => Self::Damaged(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(_) => Self::Damaged(error.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

/// A callback as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// CallSid, MessageSid, or what else keeps an order.
    pub lane: String,
    /// When it came, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers, a line each.
    pub headers: Vec<u8>,
    /// Its body.
    pub body: Vec<u8>,
    /// Who sent it.
    pub peer: String,
}

impl Waiting {
    /// What it counts for the bound.
    pub fn size(&self) -> usize {
        let text = self.lane.len() + self.target.len() + self.headers.len() + self.body.len();
        text + ROW_BYTES
    }
}

/// Opens the file, made if it is not there, for this process alone.
pub(super) fn open(folder: &Path) -> Result<Connection, Fault> {
    prepare_folder(folder)?;
    let path = folder.join(FILE);
    let made = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    made.map_err(|error| Fault::Other(format!("{}: {error}", path.display())))?;
    connect(&path)
}

fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    // Two guards would both deliver what waits.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Nothing of what was erased stays in free pages or in the journal.
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "auto_vacuum", "FULL")?;
    db.pragma_update(None, "journal_mode", "TRUNCATE")?;
    // On disk means on disk: Twilio is told so.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS callback(
            seq INTEGER PRIMARY KEY,
            lane TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            method TEXT NOT NULL,
            target TEXT NOT NULL,
            headers BLOB NOT NULL,
            body BLOB NOT NULL,
            peer TEXT NOT NULL
        )",
    )?;
    quick_check(&db)?;
    Ok(db)
}

/// Writes callbacks, all or none.
pub(super) fn put<'c>(
    db: &mut Connection,
    callbacks: impl Iterator<Item = (u64, &'c Waiting)>,
) -> Result<(), Fault> {
    let transaction = db.transaction()?;
    for (seq, callback) in callbacks {
        let Waiting { lane, time_ms, method, target, headers, body, peer } = callback;
        transaction.execute(
            "INSERT INTO callback VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![signed(seq), lane, signed(*time_ms), method, target, headers, body, peer],
        )?;
    }
    Ok(transaction.commit()?)
}

/// Erases callbacks, all or none.
pub(super) fn erase(db: &mut Connection, seqs: &[u64]) -> Result<(), Fault> {
    let transaction = db.transaction()?;
    for seq in seqs {
        transaction.execute("DELETE FROM callback WHERE seq = ?1", [signed(*seq)])?;
    }
    Ok(transaction.commit()?)
}

/// Reads one callback.
pub(super) fn read(db: &Connection, seq: u64) -> Result<Option<Waiting>, Fault> {
    Ok(db.query_row("SELECT * FROM callback WHERE seq = ?1", [signed(seq)], waiting).optional()?)
}

/// Place, lane, time and size of everything that waits.
pub(super) fn all(db: &Connection) -> Result<Vec<(u64, String, u64, usize)>, Fault> {
    let mut statement = db.prepare("SELECT * FROM callback ORDER BY seq")?;
    let rows = statement.query_map([], |row| {
        let callback = waiting(row)?;
        let seq = unsigned(row.get(0)?);
        Ok((seq, callback.lane.clone(), callback.time_ms, callback.size()))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn waiting(row: &rusqlite::Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        lane: row.get(1)?,
        time_ms: unsigned(row.get(2)?),
        method: row.get(3)?,
        target: row.get(4)?,
        headers: row.get(5)?,
        body: row.get(6)?,
        peer: row.get(7)?,
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
