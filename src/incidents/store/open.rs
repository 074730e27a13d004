//! Opening: the folder, the file, what is damaged.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{StoreError, schema};

/// The file's name in the state directory.
pub const FILE: &str = "incidents.db";
/// How a database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(2);
/// Pages of the write-ahead log after which it is folded into the file, and its bytes at rest.
const WAL_PAGES: u32 = 1_000;
const WAL_BYTES: u32 = 16 * 1024 * 1024;

/// Makes the state directory if it is not there, open to nobody else (0700). A folder that was
/// there before is closed to others too where it holds nothing but our own files.
pub fn prepare_folder(folder: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Folder { path: folder.to_owned(), source };
    let is_new = !folder.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let metadata = fs::metadata(folder).map_err(failed)?;
    let mode = metadata.mode();
    if (is_new || mode & 0o7077 != 0) && mode & 0o1000 == 0 && is_ours_alone(folder) {
        // Somebody else's folder stays as it is; the files are closed in any case.
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    }
    Ok(())
}

fn is_ours_alone(folder: &Path) -> bool {
    const OURS: [&str; 7] = [FILE, "key", "control", "calls", "callbacks", "demo", "roles"];
    fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.all(|entry| {
            entry.is_ok_and(|entry| {
                let name = entry.file_name();
                OURS.iter().any(|own| name.to_string_lossy().starts_with(own))
            })
        })
    })
}

/// A store that is open for writing.
#[derive(Debug)]
pub(super) struct Writable {
    pub(super) connection: Connection,
    /// To look at what is written to. Closed after the connection: a process that closes any handle
    /// of a file loses its locks on it.
    file: File,
}

/// What became of the file that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is there.
    Fine,
    /// Another file, or none, is in its place.
    Gone,
    /// Somebody wrote over it.
    Overwritten,
}

impl Writable {
    /// What became of the file, which should be at this path.
    pub(super) fn standing(&self, path: &Path) -> Standing {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let (own, there) = (self.file.metadata().map(identity), fs::metadata(path).map(identity));
        let mut head = [0; MAGIC.len()];
        match (own, there) {
            (Ok(own), Ok(there)) if own != there => Standing::Gone,
            (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => Standing::Gone,
            // What can't be looked at shows itself when it is written to.
            _ => match self.file.read_at(&mut head, 0) {
                Ok(read) if read < MAGIC.len() || head != *MAGIC => Standing::Overwritten,
                _ => Standing::Fine,
            },
        }
    }
}

/// Opens the store for writing: made if it is not there, brought to this version if it is older.
/// Damage shows itself in use, or in [`quick_check`].
pub(super) fn for_writing(path: &Path) -> Result<Writable, StoreError> {
    if let Some(folder) = path.parent() {
        prepare_folder(folder)?;
    }
    // SQLite gives its other files the mode of this one.
    let file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    if file.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 != 0) {
        // A copy that somebody put there; where it is not ours it stays as it is.
        let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Declared after `file`, and so closed before it, where something fails.
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    // Else a statement that is kept is prepared anew each time that other values are bound to it.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    schema::check(&db)?;
    schema::migrate(&mut db)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // Survives the end of the process; after a power cut the last moments may be missing.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    Ok(Writable { connection: db, file })
}

/// Reads the whole file: slow where it is large.
pub(crate) fn quick_check(db: &Connection) -> Result<(), StoreError> {
    let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(StoreError::Damaged(said)) }
}

/// Opens the store for reading, while it is written or not; a copied file on a read-only medium too.
pub(super) fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |target: &Path, flags| -> Result<Connection, StoreError> {
        let db = Connection::open_with_flags(target, flags)?;
        db.busy_timeout(BUSY)?;
        schema::check(&db)?;
        Ok(db)
    };
    match open(path, flags) {
        Err(StoreError::Sqlite(error)) if cannot_share(&error) => {
            // Nobody writes where nothing can be written: the file alone is the store.
            let text = path.to_string_lossy();
            let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = PathBuf::from(format!("file:{escaped}?immutable=1"));
            open(&uri, flags | OpenFlags::SQLITE_OPEN_URI)
        }
        other => other,
    }
}

fn cannot_share(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, ReadOnly, SystemIoFailure};
    matches!(error.sqlite_error_code(), Some(CannotOpen | ReadOnly | SystemIoFailure))
}

/// Puts a damaged database aside, with the files that belong to it; gives its new name.
pub(crate) fn set_aside(path: &Path, now_ms: u64) -> io::Result<PathBuf> {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = (0..1_000)
        .map(|n| named(&format!(".damaged-{now_ms}-{n}")))
        .find(|aside| !aside.exists())
        .ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    fs::rename(path, &aside)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut to = aside.as_os_str().to_owned();
        to.push(suffix);
        match fs::rename(named(suffix), to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
