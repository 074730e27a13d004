//! Keeps what was learnt in the state directory, behind the requests' back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::kept::{self, KeptError};
use super::{Calls, lock};
use crate::clock::now_ms;
use crate::incidents::store::prepare_folder;

/// How often it is looked for something new.
const TICK: Duration = Duration::from_secs(3);
/// When only times and counts changed, the file is written anew after this time.
const REPEATED: Duration = Duration::from_mins(5);

/// Ends the keeping.
#[derive(Debug)]
pub struct Keeper {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Takes up what was kept in the state directory, and from now on keeps there what is learnt.
    /// Without a state directory nothing outlives the process. What can't be read is said, put
    /// aside and not used.
    pub fn start(calls: &Arc<Calls>, state_dir: Option<&Path>) -> Self {
        let (stop, stopped) = channel();
        let thread = state_dir.and_then(|folder| {
            if let Err(error) = prepare_folder(folder) {
                tracing::warn!(%error, "what is learnt of URLs is forgotten with the process");
                return None;
            }
            restore(calls, folder);
            let task = Task::new(Arc::clone(calls), folder.to_owned());
            let named = std::thread::Builder::new().name("roles".to_owned());
            named.spawn(move || task.run(&stopped)).ok()
        });
        Self { stop, thread }
    }

    /// Writes what is not written yet, and ends.
    pub fn finish(mut self) {
        drop(self.stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn restore(calls: &Calls, folder: &Path) {
    match kept::read(folder) {
        Ok(roles) => lock(&calls.roles).restore(roles, now_ms()),
        Err(error) => {
            let is_aside =
                matches!(error, KeptError::Malformed { .. }) && kept::set_aside(folder).is_ok();
            tracing::warn!(%error, is_aside, "learning of URLs begins anew");
        }
    }
}

struct Task {
    calls: Arc<Calls>,
    folder: PathBuf,
    /// What had been learnt, and seen once more, when it was written last.
    written: (u64, u64),
    at: Instant,
    has_failed: bool,
}

impl Task {
    fn new(calls: Arc<Calls>, folder: PathBuf) -> Self {
        let written = lock(&calls.roles).counts();
        Self { calls, folder, written, at: Instant::now(), has_failed: false }
    }

    fn run(mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            let (news, repeated) = lock(&self.calls.roles).counts();
            let is_stale = repeated != self.written.1 && self.at.elapsed() >= REPEATED;
            if news != self.written.0 || is_stale {
                self.write();
            }
        }
        self.write();
    }

    fn write(&mut self) {
        let (counts, roles) = {
            let roles = lock(&self.calls.roles);
            (roles.counts(), roles.snapshot())
        };
        if counts == self.written {
            return;
        }
        match kept::write(&self.folder, roles.all()) {
            Ok(()) => {
                (self.written, self.has_failed) = (counts, false);
            }
            Err(error) if !self.has_failed => {
                tracing::warn!(%error, "what is learnt of URLs is not kept; it is tried again");
                self.has_failed = true;
            }
            Err(_) => {}
        }
        self.at = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::Slot;

    #[test]
    fn what_was_learnt_outlives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let calls = Arc::new(Calls::default());
        let keeper = Keeper::start(&calls, Some(folder.path()));
        lock(&calls.roles).learn("POST /voice", Slot::Voice, None, now_ms());
        keeper.finish();
        let calls = Arc::new(Calls::default());
        Keeper::start(&calls, Some(folder.path())).finish();
        assert_eq!(*calls.known_routes(), ["POST /voice (voice)"]);
    }

    #[test]
    fn what_can_not_be_read_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roles.json");
        std::fs::write(&file, "{\"version\":1,\"ro").unwrap();
        let calls = Arc::new(Calls::default());
        Keeper::start(&calls, Some(folder.path())).finish();
        assert!(calls.known_routes().is_empty() && !file.exists());
        let aside = std::fs::read(folder.path().join("roles.json.unreadable")).unwrap();
        assert_eq!(aside, b"{\"version\":1,\"ro");
    }

    #[test]
    fn without_a_place_it_serves_on() {
        let calls = Arc::new(Calls::default());
        Keeper::start(&calls, None).finish();
        let file = tempfile::NamedTempFile::new().unwrap();
        Keeper::start(&calls, Some(file.path())).finish();
    }
}
