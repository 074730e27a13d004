//! What the service manager (systemd) is told. Without `NOTIFY_SOCKET` nothing is.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::proxy::Beats;

/// Shortest time between two signs of life.
const OFTEN: Duration = Duration::from_millis(100);

/// The manager; clones tell the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Manager {
    is_stopping: Arc<Mutex<bool>>,
}

impl Manager {
    /// The guard serves. Nothing is said once it stops: the manager would take that back.
    pub(super) fn ready(&self) {
        let is_stopping = self.lock();
        if !*is_stopping {
            tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
        }
    }

    /// The configuration is read anew; [`Manager::ready`] follows.
    pub(super) fn reloading(&self) {
        let is_stopping = self.lock();
        // Without the time, the manager takes the message for nothing.
        if !*is_stopping && let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration")]);
        }
    }

    /// What is in flight is finished, and nothing else.
    pub(super) fn stopping(&self) {
        let mut is_stopping = self.lock();
        *is_stopping = true;
        tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in flight")]);
    }

    /// Held while something is told, so that nothing comes after the end.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the manager's watchdog a sign of life, twice as often as it wants one, while every worker
/// does. Without a watchdog nothing is.
pub(super) fn watch(beats: Beats) -> io::Result<()> {
    let Some(limit) = sd_notify::watchdog_enabled() else { return Ok(()) };
    let every = (limit / 2).max(OFTEN);
    thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        loop {
            thread::sleep(every);
            if beats.are_complete() {
                tell(&[NotifyState::Watchdog]);
            }
        }
    })?;
    Ok(())
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
