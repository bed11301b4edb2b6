//! DTLS 1.2, TLS 1.2 and TLS 1.3 without sockets and clocks: PSK, raw public keys, X.509,
//! Connection IDs.
//!
//! [`Endpoint`] holds sessions with any number of peers, as client and server at once, on datagrams
//! and on streams. Received bytes and the time are passed in; bytes to be sent and events are polled
//! out. The protocol of version 1.2 and the mode CCM are implemented here; AES, SHA-256 and the
//! curve P-256 ([`crypto::Provider`]) come from libraries.
//!
//! | module | what | standard |
//! |---|---|---|
//! | `endpoint` | sessions by address and Connection ID, limits, events | RFC 9146 6, 9853 |
//! | `handshaking`, `dtls`, `records` | handshakes and sessions on datagrams, by either backend | RFC 6347 4.2 |
//! | `stream` | a connection on a stream, by either backend | |
//! | `dtls12`, `flight`, `channel` | native DTLS: flights, retransmission, records | RFC 6347 4 |
//! | `tls12` | native TLS 1.2 | RFC 5246 6 |
//! | `tls13` | TLS 1.3, by `rustls` | RFC 8446, 7250 |
//! | `mbedtls` | DTLS and TLS 1.2, by Mbed TLS | |
//! | `handshake` | messages, key schedule, the two state machines | RFC 5246, 4279, 5489, 8422, 7250, 7627 |
//! | `record` | headers, protection, replay window | RFC 6347 4.1, 6655, 5288, 7366, 9146 |
//! | `cookie` | stateless cookies | RFC 6347 4.2.1 |
//! | [`certificate`] | trust in certificates | RFC 5280, 6125, 6698 |
//! | `resumption` | session ids and tickets | RFC 5246, 5077 |
//! | `counters` | record numbers of sessions that survive a crash | RFC 6347 4.1 |
//! | `routing_cids` | Connection IDs that name node and shard | RFC 9146 6 |
//! | `backend`, `checks` | the backends and what each supports | |
//!
//! ```
//! use lwm2m_dtls::{ClientProfile, ClientSecurity, Config, Credentials, Endpoint, Event};
//! use lwm2m_time::Instant;
//! use std::sync::Arc;
//! use zeroize::Zeroizing;
//!
//! struct OneDevice;
//! impl Credentials for OneDevice {
//!     fn uses_psk(&self) -> bool {
//!         true
//!     }
//!     fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
//!         (identity == b"device").then(|| Zeroizing::new(b"a shared secret.".to_vec()))
//!     }
//! }
//!
//! let now = Instant::ZERO;
//! let (client_address, server_address) =
//!     ("192.0.2.1:5684".parse().unwrap(), "192.0.2.2:5684".parse().unwrap());
//! let mut config = Config::default();
//! config.credentials = Some(Arc::new(OneDevice));
//! let mut server = Endpoint::new(config, [1; 32]);
//! let mut client = Endpoint::new(Config::default(), [2; 32]);
//! let key = Zeroizing::new(b"a shared secret.".to_vec());
//! let security = ClientSecurity::Psk { identity: "device".into(), key };
//! let session = client.connect(now, server_address, Arc::new(ClientProfile::new(security)))?;
//! for _ in 0..3 {
//!     while let Some(datagram) = client.poll_transmit() {
//!         server.handle_datagram(now, client_address, &datagram.payload);
//!     }
//!     while let Some(datagram) = server.poll_transmit() {
//!         client.handle_datagram(now, server_address, &datagram.payload);
//!     }
//! }
//! assert!(matches!(client.poll_event(), Some(Event::Connected { .. })));
//! client.send(now, session, b"hello")?;
//! # Ok::<(), lwm2m_dtls::Error>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod alert;
mod backend;
pub mod certificate;
mod channel;
mod checks;
mod config;
mod cookie;
mod counters;
mod credential;
pub mod crypto;
mod dtls;
mod dtls12;
mod endpoint;
mod error;
mod event;
mod flight;
mod handshake;
mod handshaking;
mod identity;
#[cfg(feature = "mbedtls")]
mod mbedtls;
mod mode;
mod record;
mod records;
mod resumption;
mod rng;
mod routing_cids;
mod seal;
mod stream;
mod suite;
mod table;
mod tls12;
#[cfg(feature = "tls13")]
mod tls13;
mod unsupported;
mod wire;

pub use alert::Alert;
pub use backend::{Backend, UnknownBackend};
pub use config::{
    CertifiedKey, ClientProfile, ClientSecurity, Config, ConnectionIds, Credentials, KeyLog,
    TicketKey,
};
pub use counters::{SessionCounters, SessionFingerprint};
pub use endpoint::{Endpoint, Restored};
pub use error::{Error, HelloFlaw, Reason};
pub use event::{Cause, Event, SessionId, Transmit};
pub use identity::{CertificateIdentity, Identity};
pub use mode::{Mode, Role};
pub use resumption::Resumption;
pub use routing_cids::{CidRoute, RoutingCids};
pub use suite::{CipherSuite, Offered};
pub use unsupported::Unsupported;
