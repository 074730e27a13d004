//! Forgetting: every trace of one number.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::convert::signed;
use super::{StoreError, open};

/// How long somebody who reads is waited for.
const WAIT: Duration = Duration::from_secs(20);

/// Deletes every incident from or to the number with this hash, the steps of its calls, and the
/// trace of the caller in outbreaks, from the file too and not only from its tables. Gives how many incidents.
pub fn forget(path: &Path, hash: u64) -> Result<usize, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let mut store = open::for_writing(path)?;
    let db = &mut store.connection;
    db.busy_timeout(WAIT)?;
    // What is deleted is overwritten, in the log of writes too once that is folded in.
    db.pragma_update(None, "secure_delete", "ON")?;
    let hash = signed(hash);
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Steps of calls without an incident on record may be this number's too.
    transaction.execute(
        "DELETE FROM step WHERE sid NOT IN (
            SELECT call FROM incident WHERE call IS NOT NULL AND caller IS NOT ?1 AND callee IS NOT ?1
            UNION SELECT message FROM incident WHERE message IS NOT NULL AND caller IS NOT ?1 AND callee IS NOT ?1)
         OR sid IN (
            SELECT call FROM incident WHERE call IS NOT NULL AND (caller = ?1 OR callee = ?1)
            UNION SELECT message FROM incident WHERE message IS NOT NULL AND (caller = ?1 OR callee = ?1))",
        [hash],
    )?;
    transaction.execute(
        "DELETE FROM record WHERE seq IN (SELECT seq FROM incident WHERE caller = ?1 OR callee = ?1)",
        [hash],
    )?;
    let gone =
        transaction.execute("DELETE FROM incident WHERE caller = ?1 OR callee = ?1", [hash])?;
    transaction.execute("DELETE FROM outbreak_caller WHERE caller = ?", [hash])?;
    transaction.commit()?;
    // Pages hold remains of what was moved within them: they are written anew.
    db.execute_batch("VACUUM")?;
    fold(db)?;
    Ok(gone)
}

/// Folds the log of writes into the file and empties it; waits for readers that need it.
fn fold(db: &Connection) -> Result<(), StoreError> {
    let deadline = Instant::now() + WAIT;
    loop {
        let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(StoreError::Read);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
