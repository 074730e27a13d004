//! Which store is read: a file that is named, or the one in the guard's state directory.

use std::io;
use std::path::{Path, PathBuf};

use super::Failure;
use super::args::StoreArgs;
use crate::cli::config_command;
use crate::incidents::identity::Identity;
use crate::incidents::store::{FILE, Reader};

/// Where the store is.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: PathBuf,
}

impl Source {
    /// The store that the flags name, or that `serve` would write under the same flags.
    pub(super) fn find(args: &StoreArgs) -> Result<Self, Failure> {
        if let Some(path) = &args.db {
            return Ok(Self { path: path.clone() });
        }
        let folder = config_command::state_dir(args.state_dir.as_deref(), args.config.as_deref())
            .map_err(|source| Failure::Unreadable { path: ".".to_owned(), source })?
            .ok_or(Failure::Homeless)?;
        Ok(Self { path: folder.join(FILE) })
    }

    /// The file, there or not.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<Reader, Failure> {
        // A folder that nobody else may look into seems empty to everybody else.
        match std::fs::File::open(&self.path) {
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Failure::Unreadable { path: self.shown(), source });
            }
            _ => {}
        }
        Ok(Reader::open(&self.path)?)
    }

    /// The hash under which a number was recorded here.
    pub(super) fn hash(&self, number: &str) -> Result<u64, Failure> {
        let folder = match self.path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => Path::new("/"),
        };
        Ok(Identity::open(folder)?.hash(number))
    }

    /// The file's name for people.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }
}
