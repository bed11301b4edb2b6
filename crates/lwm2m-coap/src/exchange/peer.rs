//! What the exchange layer knows about one peer.

use crate::message::Token;
use crate::peer::RequestId;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Calls of a peer; most peers have one or none at a time.
pub(super) type CallIds = SmallVec<[u64; 2]>;

#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// Calls that wait for their turn, in their order: NSTART, RFC 7252 section 4.7.
    pub(super) queue: CallIds,
    /// How many calls have their turn.
    pub(super) in_flight: usize,
    /// All calls, waiting or not.
    pub(super) calls: CallIds,
    /// The observations that this endpoint holds on the peer.
    pub(super) observations: Vec<RequestId>,
    /// The tokens of the observations that the peer holds on this endpoint.
    pub(super) observed_by: Vec<Token>,
    /// How many requests of the peer wait for the application.
    pub(super) waiting: usize,
    /// No call has its turn before the layers below can reach the peer.
    pub(super) suspended: bool,
}

impl Peer {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.observations.is_empty()
            && self.observed_by.is_empty()
            && self.waiting == 0
            && !self.suspended
    }
}
