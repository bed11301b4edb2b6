//! What the message layer and the exchange layer say to each other.

use crate::message::{Code, Options, Token};
use crate::peer::{Observer, PeerId};

/// The content of a message, without the facts of this layer.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: &'a Options,
    pub(crate) payload: &'a [u8],
}

/// Whom a delivery concerns in the exchange layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeliveryOf {
    /// The request that has this number.
    ClientExchange(u64),
    /// The latest notification to an observer.
    Notification(Observer),
    /// A separate response; nobody waits for its outcome.
    Response,
}

/// A message that was handed to this layer and whose outcome is of interest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delivery {
    pub(super) peer: PeerId,
    pub(super) serial: u32,
}

/// Where a message came from, so that it can be replied to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) peer: PeerId,
    pub(crate) message_id: u16,
    pub(crate) confirmable: bool,
}

/// What the passing of time has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// Nobody acknowledged a message.
    Undelivered(DeliveryOf, PeerId),
    /// Nothing is remembered about a peer any more.
    Quiet(PeerId),
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// State about too many peers is held.
    Peers,
    /// All message IDs towards the peer were used within the exchange lifetime.
    MessageIds,
    /// The message is longer than the peer takes.
    TooLong,
}
