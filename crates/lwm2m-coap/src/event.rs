//! Outputs of an endpoint: events and datagrams.

use crate::ids::{ExchangeId, Observer, PeerId, RequestId};
use crate::message::{Code, FrameError, OptionNumber, Token};
use crate::request::Request;
use crate::response::Response;
use bytes::Bytes;
use core::fmt;

/// A datagram to send, or the next bytes of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The receiver.
    pub peer: PeerId,
    /// A datagram of at most 1,152 bytes, or the next bytes of the stream to a
    /// [connected](crate::Endpoint::connected) peer.
    pub payload: Bytes,
}

/// A confirmable message that its receiver has not acknowledged so far, or a request on a connection
/// without a response so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unanswered {
    /// The receiver.
    pub peer: PeerId,
    /// How often the message was sent again. On a connection, which repeats what is lost by itself,
    /// it is 1 when the longest time has passed after which a datagram would have been sent again.
    pub retransmissions: u32,
}

/// Reports to the application.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A peer sent a request. Answer it with [`Endpoint::respond`](crate::Endpoint::respond).
    ///
    /// If its Observe is 0 and the response is marked by [`Response::observe`], the peer becomes
    /// `Observer { peer, token }`.
    Request {
        /// Identifies the request when it is answered.
        exchange: ExchangeId,
        /// The requesting peer.
        peer: PeerId,
        /// The request with its complete body.
        request: Request,
        /// The token of the request.
        token: Token,
    },
    /// A request was answered.
    Response {
        /// The request.
        id: RequestId,
        /// The responding peer.
        peer: PeerId,
        /// The response with its complete body. If it has Observe, notifications follow.
        response: Response,
    },
    /// The observed resource has a newer state (RFC 7641 section 3.4). A notification without
    /// Observe, such as an error, is the last one.
    Notification {
        /// The request that began the observation.
        id: RequestId,
        /// The notifying peer.
        peer: PeerId,
        /// The new state with its complete body.
        response: Response,
    },
    /// A notification on datagrams that no request of ours asked for, or none that we remember: it is
    /// rejected, so that the peer stops (RFC 7641 section 3.6). The application may begin the
    /// observation anew.
    Unexpected {
        /// The notifying peer.
        peer: PeerId,
    },
    /// A request ended without a response, or an observation of ours ended with its connection.
    Failed {
        /// The request.
        id: RequestId,
        /// The peer that was asked.
        peer: PeerId,
        /// Why.
        reason: FailReason,
    },
    /// A peer stopped observing.
    ObserverGone {
        /// The observation that ended.
        observer: Observer,
        /// Why.
        reason: GoneReason,
    },
    /// The observer acknowledged the latest confirmable notification. On a connection, which has no
    /// acknowledgements, the notification was sent.
    Delivered {
        /// The observation.
        observer: Observer,
    },
    /// The peer answered [`Endpoint::ping`](crate::Endpoint::ping).
    Pong {
        /// The peer.
        peer: PeerId,
    },
    /// A connection ended. Everything pending on it has failed before. The layer below sends the
    /// remaining output and closes the stream; the peer's ID is not used any more.
    Closed {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// The last state about a peer has expired. The layer below may forget the peer once the
    /// remaining datagrams to it are sent.
    PeerIdle {
        /// The peer.
        peer: PeerId,
    },
}

/// Why a request ended without a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailReason {
    /// The peer neither acknowledged nor answered a confirmable message (RFC 7252 section 4.2).
    #[error(
        "no answer, though the message was sent {sent} times; check address, port and firewall"
    )]
    Unacknowledged {
        /// How often it was sent.
        sent: u32,
    },
    /// The peer did not answer in time a message that it acknowledged, or that was non-confirmable or
    /// sent on a connection.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The peer rejected the message with a Reset (RFC 7252 section 4.2).
    #[error("the peer rejected the message with a Reset")]
    Reset,
    /// The peer was removed while the request was under way.
    #[error("the peer was removed while the request was under way")]
    Cancelled,
    /// The body of the response is larger than [`Config::max_body`](crate::Config::max_body).
    #[error("the body of the response is larger than this endpoint accepts")]
    TooLarge,
    /// A message of the request is longer than the Max-Message-Size of the peer.
    #[error("a message of the request is longer than the peer accepts")]
    TooLong,
    /// The connection failed or ended.
    #[error("the connection failed, or ended before the response; check address and port")]
    Closed,
    /// All message IDs towards the peer are in use (RFC 7252 section 4.4).
    #[error("too many messages were sent to the peer lately; send again later")]
    TooManyMessages,
    /// The peer violated the protocol.
    #[error("the peer violated the protocol: {0}")]
    Protocol(ProtocolFault),
}

/// How a response violates the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolFault {
    /// The response has an unknown critical option (RFC 7252 section 5.4.1).
    #[error("the response has an unknown critical option")]
    CriticalOption,
    /// A block has a wrong number or size (RFC 7959 section 2.3).
    #[error("a block of the body has a wrong number or size")]
    Block,
    /// The representation kept changing while its blocks were fetched (RFC 7959 section 2.4).
    #[error("the representation kept changing while its blocks were fetched")]
    Changing,
}

/// Why a peer stopped observing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GoneReason {
    /// The peer rejected a notification with a Reset (RFC 7641 section 3.6).
    Reset,
    /// The peer did not acknowledge a confirmable notification (RFC 7641 section 4.5).
    Timeout,
    /// The peer deregistered with Observe = 1. The application also gets and answers that request.
    Cancelled,
    /// The peer began another observation of the same target.
    Replaced,
    /// The connection to the peer ended or was released.
    Closed,
}

impl fmt::Display for GoneReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "the observer rejected a notification",
            Self::Timeout => "the observer did not acknowledge a notification",
            Self::Cancelled => "the observer cancelled",
            Self::Replaced => "the observer replaced the observation",
            Self::Closed => "the connection to the observer ended",
        })
    }
}

/// Why a connection ended: RFC 8323 section 5.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The layer below lost or closed the connection.
    #[error("the connection was lost")]
    Lost,
    /// The peer sent Release, and nothing is pending any more (RFC 8323 section 5.5).
    #[error("the peer released the connection")]
    Released,
    /// The peer sent Abort (RFC 8323 section 5.6).
    #[error("the peer aborted the connection")]
    Aborted,
    /// The first message of the peer was not a CSM, or did not come in time (RFC 8323 section 5.3).
    #[error("the connection does not begin with a CSM")]
    NoCsm,
    /// A signaling message had an unknown critical option (RFC 8323 section 5.2).
    #[error("{code} has the unknown critical option {number:?}")]
    CriticalOption {
        /// The code of the signaling message.
        code: Code,
        /// The option.
        number: OptionNumber,
    },
    /// The stream of the peer is malformed.
    #[error(transparent)]
    Stream(FrameError),
    /// Incomplete messages exceeded
    /// [`Config::max_incomplete_messages`](crate::Config::max_incomplete_messages).
    #[error("too many messages are incomplete")]
    Overload,
}
