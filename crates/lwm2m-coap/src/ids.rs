//! Identifiers that an endpoint and its application share.

use crate::message::Token;

/// A remote endpoint. The layer below assigns the number and never reuses it for another peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub u64);

/// Identifies a request of this endpoint. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub(crate) u64);

/// Identifies a request of a peer that the application has to answer. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ExchangeId(pub(crate) u64);

/// Identifies an observation that a peer holds on this endpoint: RFC 7641 section 4.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Observer {
    /// The observing peer.
    pub peer: PeerId,
    /// The token of the request that began the observation and of its notifications.
    pub token: Token,
}
