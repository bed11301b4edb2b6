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
    sends_until: Instant,
}

impl Peer {
    pub(super) fn new(first_message_id: u16, now: Instant) -> Self {
        Self {
            message_ids: MessageIds::new(first_message_id, now),
            duplicates: Duplicates::default(),
            outgoing: Vec::new(),
            quiet_at: now,
            sends_until: now,
        }
    }

    /// Keeps the state until `at` at least.
    pub(super) fn keep_until(&mut self, at: Instant) {
        self.quiet_at = self.quiet_at.max(at);
    }

    pub(super) const fn quiet_at(&self) -> Instant {
        self.quiet_at
    }

    /// Whether there is nothing to remember: no message of the peer, none to it, and no message ID
    /// that was used of late.
    pub(super) fn is_unused(&self, now: Instant) -> bool {
        self.duplicates.len() == 0 && self.outgoing.is_empty() && self.sends_until <= now
    }

    /// The message IDs that are in use may not be used again until `at`.
    pub(super) fn sends_until(&mut self, at: Instant) {
        self.sends_until = self.sends_until.max(at);
        self.keep_until(at);
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
