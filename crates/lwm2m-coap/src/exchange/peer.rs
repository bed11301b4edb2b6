//! The state of the exchange layer about one peer.

use crate::ids::RequestId;
use crate::message::Token;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Numbers of client exchanges. Most peers have at most one at a time.
pub(super) type RequestNumbers = SmallVec<[u64; 2]>;

#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// The client exchanges that wait for their turn: NSTART, RFC 7252 section 4.7.
    pub(super) queue: RequestNumbers,
    /// The number of confirmable requests in flight.
    pub(super) in_flight: usize,
    /// All client exchanges.
    pub(super) requests: RequestNumbers,
    /// The observations that this endpoint holds on the peer.
    pub(super) observations: Vec<RequestId>,
    /// The tokens of the observations that the peer holds on this endpoint.
    pub(super) observed_by: Vec<Token>,
    /// The number of the peer's requests that wait for the application.
    pub(super) waiting: usize,
    /// Whether requests are held back until the layer below can reach the peer.
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
