//! The wish to stop: raised once, seen by everyone who serves.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A cloneable flag that is raised once. Whoever holds a clone can raise it or wait for it, on any
/// runtime.
#[derive(Debug, Clone)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A flag that is not raised, and that no signal raises.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// A flag that SIGTERM and SIGINT raise.
    ///
    /// A second signal ends the process at once, with exit code 143 (SIGTERM) or 130 (SIGINT): the
    /// operator does not want to wait for the drain. Fails when the signal handlers can't be
    /// installed.
    pub fn on_signals() -> io::Result<Self> {
        Self::raised_by_signals(None)
    }

    /// The same for a service: SIGHUP ends nothing, least of all streams that are open, and calls
    /// `hung_up`, which must not block.
    pub fn of_service(hung_up: impl Fn() + Send + 'static) -> io::Result<Self> {
        Self::raised_by_signals(Some(Box::new(hung_up)))
    }

    fn raised_by_signals(hung_up: Option<Box<dyn Fn() + Send>>) -> io::Result<Self> {
        let shutdown = Self::new();
        let raised = shutdown.clone();
        let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut terminate, mut interrupt, mut hangup) = {
            let _context = runtime.enter();
            let hangup = hung_up.is_some().then(|| signal(SignalKind::hangup())).transpose()?;
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, hangup)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut next = async || {
                    loop {
                        let hangup = async { hangup.as_mut()?.recv().await };
                        tokio::select! {
                            Some(()) = terminate.recv() => return Some(("SIGTERM", 143)),
                            Some(()) = interrupt.recv() => return Some(("SIGINT", 130)),
                            Some(()) = hangup => {
                                tracing::info!(signal = "SIGHUP", "reading the configuration again");
                                if let Some(hung_up) = &hung_up {
                                    hung_up();
                                }
                            }
                            else => return None,
                        }
                    }
                };
                let Some((name, _)) = next().await else { return };
                tracing::info!(signal = name, "stopping: finishing what is in flight");
                raised.raise();
                if let Some((name, code)) = next().await {
                    tracing::warn!(signal = name, "second signal: stopping at once");
                    std::process::exit(code);
                }
            });
        })?;
        Ok(shutdown)
    }

    /// Raises the flag; raising it again changes nothing.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }

    /// Whether the flag is raised.
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the flag is raised; returns at once if it is.
    pub async fn raised(&self) {
        // The sender lives as long as `self`, so that waiting can't fail.
        let _ = self.0.subscribe().wait_for(|raised| *raised).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_it_raised() {
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        assert!(!other.is_raised());
        let waiting = tokio::spawn(async move { other.raised().await });
        shutdown.raise();
        shutdown.raise();
        waiting.await.unwrap();
        assert!(shutdown.is_raised());
        shutdown.raised().await;
    }
}
