//! The state of the message layer about one peer.

use super::duplicates::Duplicates;
use super::message_id::MessageIds;
use super::outgoing::Outgoing;
use alloc::vec::Vec;
use lwm2m_time::Instant;

#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) message_ids: MessageIds,
    pub(super) duplicates: Duplicates,
    pub(super) outgoing: Vec<Outgoing>,
    quiet_at: Instant,
}

impl Peer {
    pub(super) fn new(first_message_id: u16, now: Instant) -> Self {
        Self {
            message_ids: MessageIds::new(first_message_id, now),
            duplicates: Duplicates::default(),
            outgoing: Vec::new(),
            quiet_at: now,
        }
    }

    /// Keeps the state until `at` at least.
    pub(super) fn keep_until(&mut self, at: Instant) {
        self.quiet_at = self.quiet_at.max(at);
    }

    pub(super) const fn quiet_at(&self) -> Instant {
        self.quiet_at
    }

    /// When the next state expires, apart from deliveries.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        self.duplicates.next_expiry().or_else(|| (self.quiet_at > now).then_some(self.quiet_at))
    }

    pub(super) fn outgoing(&self, serial: u32) -> Option<&Outgoing> {
        self.outgoing.iter().find(|outgoing| outgoing.serial == serial)
    }

    pub(super) fn outgoing_mut(&mut self, serial: u32) -> Option<&mut Outgoing> {
        self.outgoing.iter_mut().find(|outgoing| outgoing.serial == serial)
    }

    pub(super) fn take_outgoing(
        &mut self,
        mut which: impl FnMut(&Outgoing) -> bool,
    ) -> Option<Outgoing> {
        let position = self.outgoing.iter().position(&mut which)?;
        Some(self.outgoing.swap_remove(position))
    }
}
