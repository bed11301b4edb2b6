//! Events and datagrams of an endpoint.

use crate::alert::Alert;
use crate::counters::SessionFingerprint;
use crate::error::Reason;
use crate::handshake::output::Completed;
use crate::identity::Identity;
use crate::mode::{Mode, Role};
use crate::resumption::Resumption;
use crate::suite::CipherSuite;
use alloc::sync::Arc;
use bytes::Bytes;
use core::net::SocketAddr;

/// The id of a session of an endpoint, from its first hello on. An id is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// The destination.
    pub peer: SocketAddr,
    /// The UDP payload.
    pub payload: Bytes,
}

/// An event of an endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A session is established.
    Connected {
        /// The session.
        session: SessionId,
        /// The address of the peer.
        peer: SocketAddr,
        /// The identity of the peer; in a PSK session the client's identity on both sides.
        identity: Identity,
        /// Our side.
        role: Role,
        /// The agreed cipher suite.
        suite: CipherSuite,
        /// Whether the session resumes an earlier one.
        resumed: bool,
        /// What a client needs to resume the session, if it can be resumed.
        resumption: Option<Arc<Resumption>>,
    },
    /// A flight of a client's handshake on datagrams had no answer and was sent again for the first
    /// time.
    Unanswered {
        /// The session.
        session: SessionId,
        /// The server's address.
        peer: SocketAddr,
    },
    /// Application data.
    Data {
        /// The session.
        session: SessionId,
        /// The plaintext of one record.
        data: Bytes,
    },
    /// The peer has a new address: authentic records with its Connection ID came from there, and it
    /// has confirmed the address (RFC 9853) or gone on from there after we sent something.
    Moved {
        /// The session.
        session: SessionId,
        /// The new address.
        peer: SocketAddr,
    },
    /// Few record numbers are left, or none after [`restore`](crate::Endpoint::restore): write the
    /// [counters](crate::Endpoint::counters) of the session. This comes before the data that asks
    /// for them, and again when it seems that a write has failed.
    CountersDue {
        /// The session.
        session: SessionId,
    },
    /// An established session has ended.
    Closed {
        /// The session.
        session: SessionId,
        /// The peer's last address.
        peer: SocketAddr,
        /// The identity of the peer.
        identity: Identity,
        /// The cause.
        cause: Cause,
        /// The key under which the store has the session, if it was given
        /// [counters](crate::Endpoint::counters) to write: remove it there.
        kept: Option<SessionFingerprint>,
    },
    /// A handshake has failed.
    Failed {
        /// The session, if the handshake was started.
        session: Option<SessionId>,
        /// The peer's address.
        peer: SocketAddr,
        /// The mode, if it was known.
        mode: Option<Mode>,
        /// Our side.
        role: Role,
        /// The reason; its text says what to do.
        reason: Reason,
    },
}

impl Event {
    /// The event of a finished handshake.
    pub(crate) fn connected(
        session: SessionId,
        peer: SocketAddr,
        role: Role,
        completed: Completed,
    ) -> Self {
        let Completed { identity, suite, resumed, resumption, .. } = completed;
        let resumption = resumption.map(|resumption| Arc::new(*resumption));
        Self::Connected { session, peer, identity, role, suite, resumed, resumption }
    }
}

/// Why an established session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The peer sent close_notify.
    ByPeer,
    /// [`close`](crate::Endpoint::close) or [`abort`](crate::Endpoint::abort) was called.
    ByUs,
    /// The peer sent a fatal alert.
    Alert(Alert),
    /// The peer violated the protocol, and we sent this alert.
    Broken(Alert),
    /// The connection below ended without close_notify; the end of the data may be missing.
    Truncated,
    /// A new session with the same peer replaced it.
    Replaced,
    /// All sequence numbers are used; connect anew.
    Exhausted,
    /// The session was exported.
    Exported,
    /// The record numbers that are reserved in the store are used, and a new
    /// [limit](crate::Endpoint::limit_written) did not come in time. More records might use numbers
    /// twice after a crash; connect anew.
    CountersNotWritten,
}

impl Cause {
    /// The cause when a failure ends an established session.
    pub(crate) fn of(reason: &Reason) -> Self {
        match reason {
            Reason::PeerAlert(alert) => Self::Alert(*alert),
            reason => Self::Broken(reason.alert().unwrap_or(Alert::INTERNAL_ERROR)),
        }
    }
}
