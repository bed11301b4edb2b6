//! What the exchange layer and the layers that carry its messages say to each other.

use crate::admit::Sender;
use crate::ids::{Observer, PeerId};
use crate::message::{Code, Options, Token};
use crate::response::Response;

/// A message of an exchange on its way out. Message type and message ID are added below.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: &'a Options,
    pub(crate) payload: &'a [u8],
}

impl<'a> Content<'a> {
    /// The message that carries `response` in the exchange or observation of `token`.
    pub(crate) fn new(response: &'a Response, token: Token) -> Self {
        let Response { code, options, payload } = response;
        Self { code: *code, token, options, payload }
    }
}

/// A message of an exchange that came in.
#[derive(Clone, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: Options,
    pub(crate) payload: &'a [u8],
}

/// The origin of a message that may be replied to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) peer: PeerId,
    pub(crate) message_id: u16,
    pub(crate) confirmable: bool,
    pub(crate) sender: Sender,
}

/// A message whose outcome the message layer reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delivery {
    pub(crate) peer: PeerId,
    pub(crate) serial: u32,
}

/// What a delivered message is in the exchange layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DeliveryOf {
    /// A message of the client exchange with this number.
    Request(u64),
    /// The latest notification to an observer.
    Notification(Observer),
    /// A separate response. The exchange layer ignores its outcome.
    Response,
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The endpoint holds state about too many peers.
    Peers,
    /// All message IDs towards the peer were used within EXCHANGE_LIFETIME.
    MessageIds,
    /// The message is longer than the peer's Max-Message-Size.
    TooLong,
}
