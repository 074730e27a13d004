//! Reading the configuration anew while the guard serves: on SIGHUP, and when a file of it changes.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::manager::Manager;
use crate::admin::Modes;
use crate::config::{self, Config, ConfigErrors, Loaded, Sources};
use crate::proxy::TlsIn;
use crate::telemetry::metrics::Metrics;

/// A file that changed is being written, perhaps; it is read once it rests for so long.
const REST: Duration = Duration::from_millis(100);
/// Most bytes of a file that are compared.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The wish to reload, for the thread that does it.
pub(super) fn wishes() -> (Sender<()>, Receiver<()>) {
    channel()
}

/// Everything that a reload touches.
#[derive(Debug)]
pub(super) struct Reloader {
    sources: Sources,
    files: Vec<PathBuf>,
    modes: Modes,
    configs: watch::Sender<Arc<Config>>,
    tls: Option<TlsIn>,
    metrics: Metrics,
    manager: Manager,
    /// What the files held when they were read last.
    seen: Contents,
    /// Whether that had mistakes.
    is_bad: bool,
    /// What needs a restart, as it was told last.
    told: Vec<&'static str>,
}

/// A hash of what some files hold.
type Contents = [u8; 32];

impl Reloader {
    /// `loaded`: what is in force.
    pub(super) fn new(
        mut sources: Sources,
        loaded: &Loaded,
        modes: Modes,
        configs: watch::Sender<Arc<Config>>,
        tls: Option<TlsIn>,
        metrics: Metrics,
        manager: Manager,
    ) -> Self {
        // A file that was found by chance is no longer there by choice: without it the defaults
        // would come into force.
        if let Some(file) = &loaded.file {
            sources.flags.config = Some(file.clone());
        }
        let files = loaded.files.clone();
        let (seen, told) = (contents(&files), Vec::new());
        Self { sources, files, modes, configs, tls, metrics, manager, seen, is_bad: false, told }
    }

    /// Waits for wishes and changes on a thread of its own, as long as anybody can wish.
    pub(super) fn spawn(mut self, wishes: Receiver<()>) -> std::io::Result<()> {
        let every = self.configs.borrow().reload_every;
        thread::Builder::new().name("reload".to_owned()).spawn(move || {
            loop {
                let wish = if every.is_zero() {
                    wishes.recv().map_err(RecvTimeoutError::from)
                } else {
                    wishes.recv_timeout(every)
                };
                match wish {
                    Ok(()) => {
                        self.seen = contents(&self.files);
                        self.reload(true);
                    }
                    Err(RecvTimeoutError::Timeout) => self.look(),
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(())
    }

    /// Reloads if a file holds something else than it did.
    fn look(&mut self) {
        let now = contents(&self.files);
        if now == self.seen {
            return;
        }
        thread::sleep(REST);
        if contents(&self.files) == now {
            self.seen = now;
            self.reload(false);
        }
    }

    fn reload(&mut self, is_wished: bool) {
        self.manager.reloading();
        match config::load(&self.sources) {
            Ok(loaded) => self.take_over(loaded),
            Err(errors) => self.refuse(&errors, is_wished),
        }
        self.manager.ready();
    }

    fn take_over(&mut self, loaded: Loaded) {
        self.watch_files(loaded.files);
        let running = Arc::clone(&self.configs.borrow());
        let (config, kept) = loaded.config.taken_over(&running);
        let config = Arc::new(config);
        if let (Some(tls), Some(files)) = (&self.tls, &config.tls)
            && let Err(error) = tls.reload(&files.certificate, &files.key)
        {
            tracing::error!(%error, "the running certificate stays in force");
        }
        // The switches first, so that no request finds a route as it was not wanted.
        self.modes.reload(&config);
        super::serve::warn_of(&config, Some(&running));
        self.configs.send_replace(Arc::clone(&config));
        self.metrics.reloads().loaded();
        self.is_bad = false;
        tracing::info!(
            routes = config.routes.len(),
            hash = %config.hash,
            "configuration reloaded"
        );
        if !kept.is_empty() && kept != self.told {
            let keys = kept.join(", ");
            tracing::warn!(keys, "some keys keep their running values until a restart");
        }
        self.told = kept;
    }

    fn refuse(&mut self, errors: &ConfigErrors, is_wished: bool) {
        let before = self.seen;
        self.watch_files(errors.files.to_vec());
        self.metrics.reloads().refused();
        if self.is_bad && is_wished && before == self.seen {
            tracing::warn!(
                "the configuration was read again and has mistakes; the running one stays in force"
            );
            return;
        }
        self.is_bad = true;
        for mistake in errors.drawn(false) {
            tracing::error!(file = errors.file, mistake, "a mistake in the configuration");
        }
        tracing::error!(
            mistakes = errors.errors.len(),
            "the configuration is not reloaded; the running one stays in force"
        );
    }

    /// The files may be others from now on.
    fn watch_files(&mut self, files: Vec<PathBuf>) {
        if files != self.files {
            self.files = files;
            self.seen = contents(&self.files);
        }
    }
}

fn contents(files: &[PathBuf]) -> Contents {
    let mut all = Sha256::new();
    for file in files {
        all.update(digest(file));
    }
    all.finalize().into()
}

/// What one file holds; one that can't be read differs from one that is empty.
fn digest(file: &Path) -> Contents {
    let mut text = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    let mark: &[u8] = if read.is_ok() { b"read" } else { b"unreadable" };
    Sha256::new().chain_update(mark).chain_update(&text).finalize().into()
}
