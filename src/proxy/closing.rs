//! Whether clients are told to close their connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A cloneable switch: while it is on, every answer says `Connection: close`.
#[derive(Debug, Clone, Default)]
pub struct Closing(Arc<AtomicBool>);

impl Closing {
    /// Turns it on or off.
    pub fn set(&self, to: bool) {
        self.0.store(to, Relaxed);
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.0.load(Relaxed)
    }
}
