//! What an endpoint tells its owner.

use crate::alert::Alert;
use crate::config::Mode;
use crate::error::Reason;
use crate::handshake::Role;
use crate::identity::Identity;
use crate::resumption::Resumption;
use crate::suite::CipherSuite;
use alloc::sync::Arc;
use bytes::Bytes;
use core::net::SocketAddr;

/// A session of an endpoint, from the first hello on. Ids are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub peer: SocketAddr,
    /// Its payload.
    pub payload: Bytes,
}

/// What has happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A session is established.
    Connected {
        /// The session.
        session: SessionId,
        /// The address of the peer.
        peer: SocketAddr,
        /// Who the peer is; of a PSK session the client's identity on both sides.
        identity: Identity,
        /// Which side we are.
        role: Role,
        /// What was agreed on.
        suite: CipherSuite,
        /// Whether the keys stem from an earlier session.
        resumed: bool,
        /// What a client needs to resume it.
        resumption: Option<Arc<Resumption>>,
    },
    /// Application data.
    Data {
        /// The session it came in.
        session: SessionId,
        /// The plaintext of one record.
        data: Bytes,
    },
    /// The peer has a new address: newer authentic records with its Connection ID came from it,
    /// and it has shown that it is there (RFC 9853), or gone on from there after it was sent
    /// something.
    Moved {
        /// The session.
        session: SessionId,
        /// The new address.
        peer: SocketAddr,
    },
    /// An established session has ended.
    Closed {
        /// The session.
        session: SessionId,
        /// The peer's last address.
        peer: SocketAddr,
        /// Why.
        cause: Cause,
    },
    /// A handshake has failed.
    Failed {
        /// The session, if one was begun.
        session: Option<SessionId>,
        /// The peer's address.
        peer: SocketAddr,
        /// The mode, as far as it was known.
        mode: Option<Mode>,
        /// Which side we were.
        role: Role,
        /// Why; its text says what to do.
        reason: Reason,
    },
}

/// Why an established session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The peer said close_notify.
    ByPeer,
    /// [`close`](crate::Endpoint::close) was called.
    ByUs,
    /// The peer sent a fatal alert.
    Alert(Alert),
    /// The peer broke the protocol on a stream; it was sent this alert.
    Broken(Alert),
    /// The connection below ended without close_notify: what was sent last may be missing.
    Truncated,
    /// A new session with the same peer took its place.
    Replaced,
    /// All numbers of records are used; connect anew.
    Exhausted,
    /// It was exported.
    Exported,
}
