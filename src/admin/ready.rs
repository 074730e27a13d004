//! Whether the guard is ready: from when it serves until it drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const SERVING: u8 = 1;

/// Shared readiness; starts as not ready.
#[derive(Debug, Clone, Default)]
pub struct Ready(Arc<AtomicU8>);

impl Ready {
    /// From now on requests are served.
    pub fn set_ready(&self) {
        self.0.store(SERVING, Ordering::Release);
    }

    /// From now on no new ones are.
    pub fn set_draining(&self) {
        self.0.store(SERVING + 1, Ordering::Release);
    }

    /// Why it is not ready; `None` if it is.
    pub fn why_not(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Acquire) {
            STARTING => Some("starting"),
            SERVING => None,
            _ => Some("draining"),
        }
    }
}
