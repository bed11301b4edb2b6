//! What an endpoint tells its application, and what it wants sent.

use crate::ids::{ExchangeId, Observer, PeerId, RequestId};
use crate::message::{Code, FrameError, OptionNumber, Token};
use crate::request::Request;
use crate::response::Response;
use bytes::Bytes;
use core::fmt;

/// A datagram to send, or a piece of the stream of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// To whom.
    pub peer: PeerId,
    /// A datagram, at most 1,152 bytes; or the next bytes of the stream to a
    /// [connected](crate::Endpoint::connected) peer.
    pub payload: Bytes,
}

/// Something that the application has to know.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A peer asks; answer with [`Endpoint::respond`](crate::Endpoint::respond).
    ///
    /// If Observe is 0 and the answer is marked by [`Response::observe`], the peer becomes
    /// `Observer { peer, token }`.
    Request {
        /// To be named in the answer.
        exchange: ExchangeId,
        /// Who asks.
        peer: PeerId,
        /// What is asked, with the complete body.
        request: Request,
        /// The token of the request.
        token: Token,
    },
    /// The answer to a request, with the complete body.
    Response {
        /// The request.
        id: RequestId,
        /// Who answers.
        peer: PeerId,
        /// The answer. If it has Observe, notifications follow.
        response: Response,
    },
    /// A newer state of a resource that is observed: RFC 7641 section 3.4 decides what is newer.
    /// One without Observe, as error notifications are, is the last.
    Notification {
        /// The request that began the observation.
        id: RequestId,
        /// Who notifies.
        peer: PeerId,
        /// The new state, with the complete body.
        response: Response,
    },
    /// A request ended without an answer, or an observation of ours with its connection.
    Failed {
        /// The request.
        id: RequestId,
        /// Who was asked.
        peer: PeerId,
        /// Why.
        reason: FailReason,
    },
    /// A peer no longer observes.
    ObserverGone {
        /// The observation that ended.
        observer: Observer,
        /// Why.
        reason: GoneReason,
    },
    /// The observer acknowledged the latest confirmable notification. On a connection, which
    /// acknowledges nothing, it was sent.
    Delivered {
        /// The observation.
        observer: Observer,
    },
    /// The peer answered [`Endpoint::ping`](crate::Endpoint::ping).
    Pong {
        /// The peer.
        peer: PeerId,
    },
    /// A connection has ended, and all that was pending on it has failed before. The layer below
    /// sends what is still to be sent, then closes the stream; the peer has no name any more.
    Closed {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// The last state about a peer has expired: layers below may forget it, once the datagrams
    /// that wait for being sent to it are out.
    PeerIdle {
        /// The peer.
        peer: PeerId,
    },
}

/// Why a request ended without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FailReason {
    /// The peer did not answer in time.
    #[error("the peer did not answer in time")]
    Timeout,
    /// The peer rejected the message with a Reset.
    #[error("the peer rejected the message")]
    Reset,
    /// The peer was removed while the request was under way.
    #[error("the peer was removed while the request was under way")]
    Cancelled,
    /// The body of the answer is larger than [`Config::max_body`](crate::Config::max_body).
    #[error("the body of the answer is larger than this endpoint accepts")]
    TooLarge,
    /// The peer now takes only messages that are shorter than one of the request.
    #[error("a message of the request is longer than the peer takes")]
    TooLong,
    /// The connection has ended.
    #[error("no connection came about, or it ended before the answer; check address and port")]
    Closed,
    /// So many messages went to the peer within 247 s that no message ID is free.
    #[error("too many messages went to the peer lately; send again later")]
    TooManyMessages,
    /// The peer broke a rule of the protocol.
    #[error("the peer broke a rule: {0}")]
    Protocol(ProtocolFault),
}

/// The rule that a peer broke in an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolFault {
    /// The answer has a critical option that this endpoint does not know.
    #[error("the answer has an unknown critical option")]
    CriticalOption,
    /// A block has a wrong number or size.
    #[error("a block of the body does not fit the ones before it")]
    Block,
    /// The representation kept changing while its blocks were fetched.
    #[error("the representation kept changing while its blocks were fetched")]
    Changing,
}

/// Why a peer no longer observes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GoneReason {
    /// It rejected a notification.
    Reset,
    /// It did not acknowledge a confirmable notification.
    Timeout,
    /// It asked for the end with Observe = 1; the application sees and answers that request too.
    Cancelled,
    /// It began another observation of the same target.
    Replaced,
    /// Its connection has ended or is about to end.
    Closed,
}

impl fmt::Display for GoneReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "the observer rejected a notification",
            Self::Timeout => "the observer did not acknowledge a notification",
            Self::Cancelled => "the observer cancelled",
            Self::Replaced => "the observer began the observation anew",
            Self::Closed => "the connection to the observer ended",
        })
    }
}

/// Why a connection ended: RFC 8323.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The layer below said so.
    #[error("the connection was lost")]
    Lost,
    /// The peer asked for it by Release, and nothing is pending any more.
    #[error("the peer released the connection")]
    Released,
    /// The peer sent Abort.
    #[error("the peer aborted the connection")]
    Aborted,
    /// The first message of the peer was no CSM, or none came in time.
    #[error("the connection does not begin with a CSM")]
    NoCsm,
    /// A signal had a critical option that this endpoint does not know.
    #[error("{code} has the unknown critical option {number:?}")]
    CriticalOption {
        /// Which signal.
        code: Code,
        /// Which option.
        number: OptionNumber,
    },
    /// The stream of the peer cannot be read.
    #[error(transparent)]
    Stream(FrameError),
    /// Incomplete messages took more memory than
    /// [`Config::max_incomplete_messages`](crate::Config::max_incomplete_messages).
    #[error("too many messages are incomplete")]
    Overload,
}
