//! The tables, and how older files become newer ones.

use rusqlite::Connection;

use super::StoreError;

/// The version that this guard reads and writes (`PRAGMA user_version`).
pub const VERSION: i64 = 3;

/// `twgd`: tells the file from other databases (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x7477_6764;

/// Each step makes the next version; steps that were released are never changed.
const MIGRATIONS: &[&str] = &[
    // 1: outbreaks, a short row for every incident, whole records of a few.
    "CREATE TABLE outbreak(
        key INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        route TEXT NOT NULL,
        cause TEXT NOT NULL,
        codes TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        closed_ms INTEGER,
        reopened INTEGER NOT NULL,
        count INTEGER NOT NULL,
        callers INTEGER NOT NULL,
        observed INTEGER NOT NULL
    );
    CREATE INDEX outbreak_last ON outbreak(last_ms);
    CREATE TABLE outbreak_caller(
        outbreak INTEGER NOT NULL,
        caller INTEGER NOT NULL,
        PRIMARY KEY(outbreak, caller)
    ) WITHOUT ROWID;
    CREATE TABLE incident(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        time_ms INTEGER NOT NULL,
        outbreak INTEGER NOT NULL,
        slot TEXT NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        call BLOB,
        message BLOB,
        caller INTEGER,
        callee INTEGER,
        outcome TEXT NOT NULL,
        observe INTEGER NOT NULL,
        causes TEXT NOT NULL,
        codes TEXT NOT NULL,
        upstream_ms INTEGER NOT NULL,
        budget_left_ms INTEGER NOT NULL
    );
    CREATE INDEX incident_outbreak ON incident(outbreak);
    CREATE INDEX incident_call ON incident(call) WHERE call IS NOT NULL;
    CREATE INDEX incident_message ON incident(message) WHERE message IS NOT NULL;
    CREATE INDEX incident_caller ON incident(caller) WHERE caller IS NOT NULL;
    CREATE INDEX incident_callee ON incident(callee) WHERE callee IS NOT NULL;
    CREATE TABLE record(
        seq INTEGER PRIMARY KEY,
        json BLOB NOT NULL
    );",
    // 2: what became of all answers, by minute and route.
    "CREATE TABLE traffic(
        minute INTEGER NOT NULL,
        route TEXT NOT NULL,
        untouched INTEGER NOT NULL,
        repaired INTEGER NOT NULL,
        replaced INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        would_have INTEGER NOT NULL,
        upstream BLOB NOT NULL,
        PRIMARY KEY(minute, route)
    ) WITHOUT ROWID;",
    // 3: as what a URL was called and what was known of the call; the steps of calls.
    "ALTER TABLE incident ADD COLUMN role TEXT;
    ALTER TABLE incident ADD COLUMN parent TEXT;
    ALTER TABLE incident ADD COLUMN belief TEXT;
    ALTER TABLE incident ADD COLUMN call_status TEXT;
    ALTER TABLE incident ADD COLUMN stream TEXT;
    ALTER TABLE incident ADD COLUMN signature TEXT;
    ALTER TABLE incident ADD COLUMN summary TEXT;
    ALTER TABLE outbreak ADD COLUMN summary TEXT;
    CREATE TABLE step(
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        sid BLOB NOT NULL,
        time_ms INTEGER NOT NULL,
        json TEXT NOT NULL
    );
    CREATE INDEX step_sid ON step(sid, time_ms);
    CREATE INDEX step_time ON step(time_ms);",
];

/// The version of an open file; 0: empty.
pub fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Whether the file is empty or one of ours, no newer than this guard knows.
pub fn check(db: &Connection) -> Result<i64, StoreError> {
    let found = version(db)?;
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || found != 0) {
        return Err(StoreError::Foreign);
    }
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    Ok(found)
}

/// Makes the file one of this version; every step whole or not at all.
pub fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    let mut found = check(db)?;
    if found == 0 {
        // Space of what is forgotten is given back; can be chosen only before the first table.
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    while let Some(step) = usize::try_from(found).ok().and_then(|at| MIGRATIONS.get(at)) {
        let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another guard may have been faster.
        if version(&transaction)? == found {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", found + 1)?;
        }
        transaction.commit()?;
        found = version(db)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_its_step() {
        assert_eq!(i64::try_from(MIGRATIONS.len()).unwrap(), VERSION);
    }
}
