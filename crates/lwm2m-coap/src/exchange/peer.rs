//! What the exchange layer knows about one peer.

use crate::ids::RequestId;
use crate::message::Token;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Calls of a peer; most peers have one or none at a time.
pub(super) type RequestNumbers = SmallVec<[u64; 2]>;

#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// Calls that wait for their turn, in their order: NSTART, RFC 7252 section 4.7.
    pub(super) queue: RequestNumbers,
    /// How many requests have their turn.
    pub(super) in_flight: usize,
    /// All requests, waiting or not.
    pub(super) requests: RequestNumbers,
    /// The observations that this endpoint holds on the peer.
    pub(super) observations: Vec<RequestId>,
    /// The tokens of the observations that the peer holds on this endpoint.
    pub(super) observed_by: Vec<Token>,
    /// How many requests of the peer wait for the application.
    pub(super) waiting: usize,
    /// No exchange has its turn before the layers below can reach the peer.
    pub(super) suspended: bool,
}

impl Peer {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
            && self.observations.is_empty()
            && self.observed_by.is_empty()
            && self.waiting == 0
            && !self.suspended
    }
}
