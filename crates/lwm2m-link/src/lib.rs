//! The protocol layers below LwM2M, stacked for each peer.
//!
//! An LwM2M engine talks to peers, not to addresses: a [`Link`] gives each remote address a
//! [`PeerId`] that stays the same while the peer is known, keeps what the security layer has
//! proven about it as its [`Identity`], and hands datagrams through to CoAP.
//!
//! The stack is CoAP alone ([`Identity::NoSec`]), or DTLS or TLS with CoAP above it
//! ([`Identity::Secured`]); CoAP does not notice.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | the contract by which one driver loop serves every engine |
//! | [`journal`] | what an engine wants kept, and the answers that wait until it is |
//! | [`link`] | addresses, peers, identities |
//! | [`sessions`] | peers whose datagrams or streams are secured, and what became of their sessions |
//! | `by_identity` | how many sessions a client has |
//! | [`recorder`] | the last messages of each peer, for people |
//! | `openings` | handshakes and secrets of sessions, for Wireshark |
//! | `overload` | what is refused because a bound is reached |
//! | [`connections`] | the peers of connections, and their deadlines |
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod by_identity;
pub mod connections;
pub mod engine;
pub mod journal;
pub mod link;
mod openings;
mod overload;
pub mod recorder;
pub mod sessions;
mod table;

pub use connections::{ConnectionConfig, host, network};
pub use engine::{ConnectionId, Engine, Input, Outbox, Output, Outputs, StreamAction, Transmit};
pub use journal::{Journal, Lsn, Record, Table, Write};
pub use link::{Coap, Identity, Link, LinkEvent, RebindError, SessionWrites};
pub use lwm2m_coap::{Admit, PeerId};
pub use lwm2m_dtls::{SessionCounters, SessionFingerprint, SessionId};
pub use openings::Secret;
pub use overload::{Overload, OverloadReports};
pub use recorder::{Capture, Carriage, Of, Recorded, Recorder, Way};
pub use sessions::{HandshakeFailure, SecurityEvent};
