//! Errors of the calls of an application.

use crate::ids::{ExchangeId, Observer, PeerId, RequestId};

/// Why an endpoint refused a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer has as many pending requests as
    /// [`Config::max_pending_per_peer`](crate::Config::max_pending_per_peer) allows.
    #[error("{0:?} has too many pending requests; send again when one has ended")]
    TooManyPending(PeerId),
    /// The endpoint has state about [`Config::max_peers`](crate::Config::max_peers) peers.
    #[error("no room for {0:?}; send again when other peers are idle")]
    TooManyPeers(PeerId),
    /// This endpoint or the peer released the connection (RFC 8323 section 5.5).
    #[error("the connection to {0:?} is released; connect anew")]
    Released(PeerId),
    /// The code of a request is not a method, or that of a response is not a response code.
    #[error("wrong code: a request needs a method, a response needs a response code")]
    Code,
    /// The options leave no room for payload in a message: 1,152 bytes, or the Max-Message-Size of
    /// a connected peer.
    #[error("the options do not fit into one message; use fewer or shorter ones")]
    OptionsTooLong,
    /// Block numbers of 20 bits do not suffice for the body (RFC 7959 section 2.2).
    #[error("the body is larger than block-wise transfer can carry; split it")]
    BodyTooLarge,
    /// The exchange was answered before or has expired.
    #[error("{0:?} does not wait for a response: it was answered or has expired")]
    UnknownExchange(ExchangeId),
    /// The peer does not observe with this token.
    #[error("{0:?} does not observe: it was cancelled, or never accepted")]
    UnknownObserver(Observer),
    /// The request has no observation.
    #[error("{0:?} has no observation")]
    UnknownRequest(RequestId),
}
