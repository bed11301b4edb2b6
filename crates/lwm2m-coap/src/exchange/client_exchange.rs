//! The state of a request that this endpoint sends: RFC 7252 section 5.2.

use super::transfer::Transfer;
use crate::delivery::Delivery;
use crate::ids::{PeerId, RequestId};
use crate::message::Token;
use crate::request::Request;
use lwm2m_time::Instant;

/// A request without a complete response, or the block-wise fetch of a large notification.
#[derive(Clone, Debug)]
pub(super) struct ClientExchange {
    pub(super) peer: PeerId,
    pub(super) request: Request,
    pub(super) transfer: Transfer,
    pub(super) stage: Stage,
    pub(super) purpose: Purpose,
    /// How often the message was sent again on another connection.
    pub(super) repeated: u32,
    /// On a connection: when the request fails without a response. Taken once the application has been told that the
    /// response is late.
    pub(super) given_up_at: Option<Instant>,
}

/// How far the current message of a client exchange has got.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The message waits for its turn: NSTART, RFC 7252 section 4.7.
    Queued,
    /// The message is sent. A confirmable one is not acknowledged yet and counts towards NSTART.
    Sent(Token, Delivery),
    /// The peer has the message. The response is still missing.
    Acknowledged(Token),
}

/// What started a client exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// A request of the application.
    Request,
    /// The application cancels the observation that has this token.
    Cancellation(Token),
    /// A notification whose further blocks are fetched.
    Fetch(RequestId),
    /// The request of an observation is repeated with its token.
    Refresh(RequestId),
}

/// What a token stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenUse {
    /// The client exchange with this number.
    Request(u64),
    /// The observation that this request began.
    Observation(RequestId),
}
