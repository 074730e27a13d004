//! What a document handed out the last time: backends give many callers the same one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Handed;
use crate::guard::exchange::RequestFacts;
use crate::guard::policy::Policy;
use crate::twilio::Slot;

/// The answer to the last question about one document, if it was asked.
#[derive(Debug, Default)]
pub(super) struct Last(Mutex<Option<Told>>);

/// An answer, and all that it depends on but the document.
#[derive(Debug)]
struct Told {
    slot: Slot,
    parent: String,
    target: String,
    host: Option<String>,
    own_hosts: Vec<String>,
    public_origin: Option<String>,
    handed: Arc<[Handed]>,
}

impl Last {
    /// What is `found` for a request, or was the last time for one that is no different.
    pub(super) fn or(
        &self,
        request: &RequestFacts,
        slot: Slot,
        policy: &Policy,
        parent: &str,
        found: impl FnOnce() -> Vec<Handed>,
    ) -> Arc<[Handed]> {
        let is_same = |told: &&Told| {
            told.slot == slot
                && told.parent == parent
                && told.target == request.target
                && told.host == request.host
                && told.own_hosts == policy.own_hosts
                && told.public_origin == policy.public_origin
        };
        if let Some(told) = self.lock().as_ref().filter(is_same) {
            return Arc::clone(&told.handed);
        }
        let handed: Arc<[Handed]> = found().into();
        *self.lock() = Some(Told {
            slot,
            parent: parent.to_owned(),
            target: request.target.clone(),
            host: request.host.clone(),
            own_hosts: policy.own_hosts.clone(),
            public_origin: policy.public_origin.clone(),
            handed: Arc::clone(&handed),
        });
        handed
    }

    fn lock(&self) -> MutexGuard<'_, Option<Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
