//! The store: incidents and outbreaks in an embedded SQLite database, `incidents.db` in the state
//! directory. One thread writes ([`Store`]), anybody may read meanwhile ([`Reader`]).

mod convert;
mod counted;
mod filter;
mod forget;
mod keep;
mod lookup;
mod open;
mod queue;
mod read;
mod schema;
mod step;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use filter::{Filter, Page};
pub use forget::forget;
pub use keep::Keep;
pub use lookup::Counts;
pub use open::{FILE, prepare_folder};
pub(crate) use open::{quick_check, set_aside};
pub use queue::{Item, NewIncident, Store, StoreHandle};
pub use read::{Reader, StoredIncident, Traffic};
pub use step::MOST_STEPS;

use std::io;
use std::path::PathBuf;

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The file is a database, but none of twiml-guard's.
    #[error("expected a store of twiml-guard, found another database; name another file or folder")]
    Foreign,
    /// The folder can't be used.
    #[error("expected a folder that can be written to at {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No file there.
    #[error(
        "expected a store at {}, found none; incidents are recorded there by `twiml-guard serve`: name its --state-dir, or a copied file with --db", path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A newer guard wrote it.
    #[error(
        "the store has version {found}, this twiml-guard knows versions up to {known}; use the newer twiml-guard that wrote it, or another --state-dir"
    )]
    Newer {
        /// The file's version.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// What was deleted is still in the file.
    #[error(
        "everything was deleted, but somebody reads the store: what they see is still in its files; end them (`incidents tail`, a copy that is being made) and forget again"
    )]
    Read,
    /// One record can't be written or read; the others can.
    #[error("expected a record as this twiml-guard writes it: {0}")]
    Record(String),
    /// Anything else that SQLite says: no space, read-only, busy, …
    #[error("the store can't be used: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}
