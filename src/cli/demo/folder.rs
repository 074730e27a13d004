//! Where the demo records: a folder of its own, so that nothing of it is ever among real incidents.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::config::{self, Flags, Sources};
use crate::incidents::store::{FILE, prepare_folder};

/// Below the state directory.
const NAME: &str = "demo";
/// All that decides where the state directory is.
const VARIABLES: [&str; 4] = ["TWIML_GUARD_STATE_DIR", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"];

/// An empty folder that stays: below the state directory, else among the temporary files.
pub(super) fn prepare() -> io::Result<PathBuf> {
    if let Some(folder) = state_dir().map(|folder| folder.join(NAME))
        && prepare_folder(&folder).is_ok()
        && clear(&folder).is_ok()
    {
        return Ok(folder);
    }
    let folder = std::env::temp_dir().join(format!("twiml-guard-demo-{}", Uuid::now_v7()));
    fs::create_dir(&folder)?;
    Ok(folder)
}

fn state_dir() -> Option<PathBuf> {
    let env: BTreeMap<_, _> = VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    // No file of the working directory is the demo's.
    let sources = Sources { flags: Flags::default(), env, cwd: PathBuf::from("/nonexistent") };
    config::load(&sources).ok()?.config.state_dir
}

/// What an earlier demo recorded makes room for this one.
fn clear(folder: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match fs::remove_file(folder.join(format!("{FILE}{suffix}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_store_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        for name in [FILE, "incidents.db-wal", "key"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        clear(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
        assert!(folder.path().join("key").exists());
    }
}
