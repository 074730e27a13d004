//! Forgetting: every trace of one number.

use std::path::Path;

use super::convert::signed;
use super::{StoreError, open};

/// Deletes every incident from or to the number with this hash, and the trace of the caller in
/// outbreaks, from the file too and not only from its tables. Gives how many incidents.
pub fn forget(path: &Path, hash: u64) -> Result<usize, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let mut store = open::for_writing(path)?;
    let db = &mut store.connection;
    // What is deleted is overwritten, in the log of writes too once that is folded in.
    db.pragma_update(None, "secure_delete", "ON")?;
    let hash = signed(hash);
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute(
        "DELETE FROM record WHERE seq IN (SELECT seq FROM incident WHERE caller = ?1 OR callee = ?1)",
        [hash],
    )?;
    let gone =
        transaction.execute("DELETE FROM incident WHERE caller = ?1 OR callee = ?1", [hash])?;
    transaction.execute("DELETE FROM outbreak_caller WHERE caller = ?", [hash])?;
    transaction.commit()?;
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(gone)
}
