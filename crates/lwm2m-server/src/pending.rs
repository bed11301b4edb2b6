//! The operations that wait for an answer.

use crate::devices::RegistrationId;
use crate::downlink::Expected;
use crate::operation::Target;
use lwm2m_coap::RequestId;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

/// An operation that waits for an answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) key: RegistrationId,
    pub(crate) target: Target,
    pub(crate) expected: Expected,
}

/// All operations that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct PendingOperations {
    by_request: HashMap<RequestId, Pending>,
    by_registration: HashMap<RegistrationId, BTreeSet<RequestId>>,
}

impl PendingOperations {
    pub(crate) fn insert(&mut self, id: RequestId, pending: Pending) {
        self.by_registration.entry(pending.key).or_default().insert(id);
        self.by_request.insert(id, pending);
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Pending> {
        let pending = self.by_request.remove(&id)?;
        if let Entry::Occupied(mut owned) = self.by_registration.entry(pending.key) {
            owned.get_mut().remove(&id);
            if owned.get().is_empty() {
                owned.remove();
            }
        }
        Some(pending)
    }

    /// The operations on one device, oldest first.
    pub(crate) fn of(&self, key: RegistrationId) -> Vec<RequestId> {
        self.by_registration.get(&key).into_iter().flatten().copied().collect()
    }
}
