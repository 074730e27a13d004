//! Whether the guard is ready: from when it serves until it drains.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

const STARTING: u8 = 0;
const SERVING: u8 = 1;

/// Shared readiness; starts as not ready.
#[derive(Debug, Clone, Default)]
pub struct Ready(Arc<State>);

#[derive(Debug, Default)]
struct State {
    step: AtomicU8,
    /// Taken out of the load by hand.
    is_out: AtomicBool,
}

impl Ready {
    /// From now on requests are served.
    pub fn set_ready(&self) {
        self.0.step.store(SERVING, Ordering::Release);
    }

    /// From now on no new ones are.
    pub fn set_draining(&self) {
        self.0.step.store(SERVING + 1, Ordering::Release);
    }

    /// Takes it out of the load, or back in; gives what was before.
    pub(super) fn set_out(&self, out: bool) -> bool {
        self.0.is_out.swap(out, Ordering::AcqRel)
    }

    /// Whether it stops.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.step.load(Ordering::Acquire) > SERVING
    }

    /// Why it is not ready; `None` if it is.
    pub fn why_not(&self) -> Option<&'static str> {
        match self.0.step.load(Ordering::Acquire) {
            STARTING => Some("starting"),
            SERVING if !self.0.is_out.load(Ordering::Acquire) => None,
            _ => Some("draining"),
        }
    }
}
