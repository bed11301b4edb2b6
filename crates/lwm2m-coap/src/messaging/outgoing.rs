//! Messages in flight and their back-off: RFC 7252 section 4.2.

use crate::delivery::DeliveryOf;
use bytes::Bytes;
use core::time::Duration;

/// A message that was sent and may still be acknowledged or rejected.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) message_id: u16,
    pub(super) serial: u32,
    pub(super) delivery_of: DeliveryOf,
    /// The retransmission of a confirmable message.
    pub(super) confirmable: Option<Retransmission>,
    /// Newer content for the next retransmission.
    pub(super) successor: Option<Bytes>,
}

impl Outgoing {
    pub(super) const fn is_confirmable(&self) -> bool {
        self.confirmable.is_some()
    }

    /// Replaces the content by its successor. The back-off continues.
    pub(super) fn succeed(&mut self, message_id: u16) {
        if let (Some(retransmission), Some(newer)) =
            (self.confirmable.as_mut(), self.successor.take())
        {
            retransmission.datagram = with_message_id(&newer, message_id);
            self.message_id = message_id;
        }
    }
}

/// The binary exponential back-off of a confirmable message.
#[derive(Clone, Debug)]
pub(super) struct Retransmission {
    pub(super) datagram: Bytes,
    pub(super) timeout: Duration,
    pub(super) count: u32,
}

impl Retransmission {
    /// Counts a retransmission and doubles the wait. Returns `false` after the last one.
    pub(super) const fn again(&mut self, max_retransmit: u32) -> bool {
        if self.count >= max_retransmit {
            return false;
        }
        self.count += 1;
        self.timeout = self.timeout.saturating_mul(2);
        true
    }
}

/// Copies a datagram with another message ID.
pub(super) fn with_message_id(datagram: &[u8], message_id: u16) -> Bytes {
    let mut datagram = datagram.to_vec();
    if let Some(field) = datagram.get_mut(2..4) {
        field.copy_from_slice(&message_id.to_be_bytes());
    }
    datagram.into()
}
