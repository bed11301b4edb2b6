//! The state of an observation that a peer holds on this endpoint: RFC 7641 section 4.

use super::key::RequestKey;
use crate::delivery::Delivery;
use crate::message::BlockSize;
use lwm2m_time::Instant;

/// An observation that a peer holds on this endpoint.
#[derive(Clone, Debug)]
pub(super) struct ObserverState {
    pub(super) key: RequestKey,
    /// The size of blocks that the observer asked for.
    pub(super) size: Option<BlockSize>,
    /// The sequence number of the latest notification.
    pub(super) sequence: u32,
    pub(super) notified_at: Instant,
    /// When the observer was last asked to confirm that it is still interested.
    pub(super) confirmed_at: Instant,
    pub(super) latest: Latest,
}

/// What became of the latest notification.
#[derive(Clone, Copy, Debug)]
pub(super) enum Latest {
    /// It was acknowledged, or was the response that began the observation.
    Settled,
    /// It was non-confirmable: a Reset may still come.
    Unconfirmed(Delivery),
    /// It is confirmable and not acknowledged yet.
    InFlight(Delivery),
}
