//! What a call of the application may fail with.

use crate::ids::{ExchangeId, Observer, PeerId, RequestId};

/// Why the endpoint did not do what the application asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer has as many pending requests as
    /// [`Config::max_pending_per_peer`](crate::Config::max_pending_per_peer) allows.
    #[error("{0:?} has too many pending requests; send again when one has ended")]
    TooManyPending(PeerId),
    /// State about as many peers is held as [`Config::max_peers`](crate::Config::max_peers) allows.
    #[error("no room for {0:?}; send again when other peers are idle")]
    TooManyPeers(PeerId),
    /// This endpoint or the peer has asked for the end of the connection by Release.
    #[error("the connection to {0:?} is about to end; connect anew")]
    Released(PeerId),
    /// The code is not one of a request, or not one of a response.
    #[error("the code does not fit: a request needs a method, an answer a response code")]
    Code,
    /// The options alone fill a message: 1,152 bytes, or what a connected peer takes.
    #[error("the options do not fit into one message; use fewer or shorter ones")]
    OptionsTooLong,
    /// The body is larger than block-wise transfer or the peer can carry.
    #[error("the body is larger than block-wise transfer can carry; split it")]
    BodyTooLarge,
    /// No such exchange waits for an answer: it was answered before, or it has expired.
    #[error("{0:?} waits for no answer: it was answered or has expired")]
    UnknownExchange(ExchangeId),
    /// No such observation is known.
    #[error("{0:?} observes nothing; it cancelled or never was accepted")]
    UnknownObserver(Observer),
    /// No such request is pending or observing.
    #[error("{0:?} is neither pending nor observing")]
    UnknownRequest(RequestId),
}
