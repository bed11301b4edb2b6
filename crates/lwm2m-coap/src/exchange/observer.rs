//! The state of an observation that a peer holds on this endpoint: RFC 7641 section 4.

use super::key::RequestKey;
use crate::delivery::Delivery;
use crate::message::BlockSize;
use lwm2m_time::Instant;

/// An observation that a peer holds on this endpoint.
#[derive(Clone, Debug)]
pub(super) struct ObserverState {
    pub(super) key: RequestKey,
    /// The block size that the observer asked for.
    pub(super) size: Option<BlockSize>,
    /// The sequence number of the latest notification.
    pub(super) sequence: u32,
    pub(super) notified_at: Instant,
    /// The time of the latest confirmable notification.
    pub(super) confirmed_at: Instant,
    pub(super) latest: Latest,
}

/// The delivery of the latest notification.
#[derive(Clone, Copy, Debug)]
pub(super) enum Latest {
    /// The notification was acknowledged, or it was the response that began the observation.
    Settled,
    /// The notification is non-confirmable. A Reset may still arrive.
    Unconfirmed(Delivery),
    /// The notification is confirmable and not acknowledged yet.
    InFlight(Delivery),
}
