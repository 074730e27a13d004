//! The file in which learnt roles outlive the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::belief::Known;
use super::key;
use super::roles::{MAX_ROLES, MAX_URLS, Seen};
use crate::guard::call::HandedOut;
use crate::twilio::Slot;

/// The file's name in the state directory.
const FILE: &str = "roles.json";
/// The form of the file that is written and read here.
const VERSION: u32 = 1;
/// Most bytes that are read of it.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Longest name of a document, an element or an attribute in it.
const MAX_NAME: usize = 300;

/// Why learnt roles can't be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file can't be read or written.
    #[error("expected to read and write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what this version writes.
    #[error("expected learnt roles (version {VERSION}) in {}, found {found}; what was learnt there is not used", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    roles: Vec<KeptRole>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptRole {
    method: String,
    path: String,
    slot: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    element: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    first_ms: u64,
    last_ms: u64,
    times: u64,
}

impl KeptRole {
    fn of((key, seen): (Arc<str>, Seen)) -> Option<Self> {
        let (method, path) = key.split_once(' ')?;
        let place = seen.known.place;
        Some(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            slot: seen.known.slot.name().to_owned(),
            element: place.as_ref().map(|place| place.element.clone()),
            attribute: place.as_ref().and_then(|place| place.attribute.clone()),
            parent: place.as_ref().map(|place| place.parent.clone()),
            first_ms: seen.first_ms,
            last_ms: seen.last_ms,
            times: seen.times,
        })
    }

    /// `None` for one that could not have been learnt.
    fn seen(self) -> Option<(Arc<str>, Seen)> {
        let key = key::key(&self.method, &self.path)?;
        let slot = Slot::ALL.into_iter().find(|slot| slot.name() == self.slot)?;
        let names = [&self.element, &self.attribute, &self.parent];
        if names.into_iter().flatten().any(|name| name.len() > MAX_NAME) {
            return None;
        }
        let place = match (self.element, self.parent) {
            (Some(element), Some(parent)) => {
                Some(Arc::new(HandedOut { element, attribute: self.attribute, parent }))
            }
            (None, None) => None,
            _ => return None,
        };
        let Self { first_ms, last_ms, times, .. } = self;
        Some((key.into(), Seen { known: Known { slot, place }, first_ms, last_ms, times }))
    }
}

/// What was learnt, as kept in a state directory; nothing where nothing is kept yet.
pub(super) fn read(state_dir: &Path) -> Result<Vec<(Arc<str>, Seen)>, KeptError> {
    let path = state_dir.join(FILE);
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(KeptError::Io { path, source }),
    }
    match serde_json::from_slice::<Kept>(&text) {
        Ok(kept) if kept.version == VERSION => {
            let roles = kept.roles.into_iter().filter_map(KeptRole::seen);
            Ok(roles.take(MAX_URLS * MAX_ROLES).collect())
        }
        Ok(Kept { version, .. }) => {
            Err(KeptError::Malformed { path, found: format!("version {version}") })
        }
        Err(error) => Err(KeptError::Malformed { path, found: error.to_string() }),
    }
}

/// Puts a file that can't be used out of the way, where the next one written does not hit it.
pub(super) fn set_aside(state_dir: &Path) -> io::Result<()> {
    fs::rename(state_dir.join(FILE), state_dir.join(format!("{FILE}.unreadable")))
}

/// Keeps what was learnt: whole under another name first, so that a crash leaves the old or the new.
pub(super) fn write(state_dir: &Path, roles: Vec<(Arc<str>, Seen)>) -> Result<(), KeptError> {
    let path = state_dir.join(FILE);
    let fresh = state_dir.join(format!("{FILE}.{}", std::process::id()));
    let roles = roles.into_iter().filter_map(KeptRole::of).collect();
    let written = serde_json::to_vec(&Kept { version: VERSION, roles })
        .map_err(io::Error::other)
        .and_then(|text| {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&fresh, &path))
        .and_then(|()| File::open(state_dir)?.sync_all());
    written.map_err(|source| {
        // What is left of it is of no use.
        let _ = fs::remove_file(&fresh);
        KeptError::Io { path, source }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use proptest::prelude::*;

    use super::*;
    use crate::calls::roles::Roles;

    fn learnt(urls: &[(u8, usize, bool)]) -> Roles {
        let mut roles = Roles::default();
        for (n, (url, slot, is_asked)) in urls.iter().enumerate() {
            let place = HandedOut {
                element: "Redirect".to_owned(),
                attribute: (n % 2 == 0).then(|| "action".to_owned()),
                parent: "POST /voice".to_owned(),
            };
            let place = (!is_asked).then_some(&place);
            roles.learn(&format!("POST /a/{url}"), Slot::ALL[*slot], place, 1_000 + n as u64);
        }
        roles
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read_alike(
            urls in prop::collection::vec((any::<u8>(), 0_usize..8, any::<bool>()), 0..80)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let roles = learnt(&urls);
            write(folder.path(), roles.snapshot().all()).unwrap();
            prop_assert_eq!(read(folder.path()).unwrap(), roles.snapshot().all());
        }

        #[test]
        fn garbage_is_refused_or_read_never_more(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), &text).unwrap();
            prop_assert!(read(folder.path()).is_err());
        }
    }

    #[test]
    fn the_file_is_nobody_elses_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), learnt(&[(1, 0, true)]).snapshot().all()).unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_kept_is_nothing_learnt_and_an_odd_version_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        fs::write(folder.path().join(FILE), r#"{"version":2,"roles":[]}"#).unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("found version 2"), "{error}");
    }

    #[test]
    fn roles_that_could_not_be_learnt_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let role = |path: &str, slot: &str, more: &str| {
            format!(
                r#"{{"method":"POST","path":"{path}","slot":"{slot}","first_ms":1,"last_ms":2,"times":3{more}}}"#
            )
        };
        let roles = [
            role("/a", "voice", ""),
            role("a", "voice", ""),
            role("/b", "song", ""),
            role("/c", "action", r#","element":"Dial""#),
            role("/d", "action", &format!(r#","element":"{}","parent":"POST /"#, "x".repeat(400)))
                .replace("POST /}", "POST /\"}"),
        ];
        let text = format!(r#"{{"version":1,"roles":[{}]}}"#, roles.join(","));
        fs::write(folder.path().join(FILE), text).unwrap();
        let keys: Vec<_> = read(folder.path()).unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["POST /a".into()]);
    }
}
