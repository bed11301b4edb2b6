//! The names of the things that an endpoint and its application talk about.

use crate::message::Token;

/// A remote endpoint. The layer below chooses the number and never gives one to another peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

/// A request that this endpoint sent; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub(crate) u64);

/// A request that a peer sent and the application has to answer; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExchangeId(pub(crate) u64);

/// An observation that a peer holds on a resource of this endpoint: RFC 7641 section 4.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Observer {
    /// Who observes.
    pub peer: PeerId,
    /// The token of the request that began the observation, and of each notification.
    pub token: Token,
}
