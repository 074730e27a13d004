//! What the service manager (systemd) is told. Without `NOTIFY_SOCKET` nothing is.

use sd_notify::NotifyState;

/// The guard serves.
pub(super) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The configuration is read anew; [`ready`] follows.
pub(super) fn reloading() {
    // Without the time, the manager takes the message for nothing.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now, NotifyState::Status("reading the configuration")]);
    }
}

/// What is in flight is finished, and nothing else.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is in flight")]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
