//! One connection of DTLS 1.2 or TLS 1.2 by Mbed TLS 2.28, without sockets and clocks.
//!
//! [`Connection`] is driven like everything below `lwm2m-net`: bytes and the time go in, bytes and
//! data come out. What it needs to know during a handshake it asks its [`Owner`]: keys, whether a
//! chain of certificates is trusted, randomness.
//!
//! The crate `mbedtls` wraps most of the library; what it lacks is called here by its raw layer:
//! pre-shared keys by identity, a timer on a clock of ours, the peer's chain, the alert that came.
//! That is all the `unsafe` there is in this workspace.
//!
//! | module | what |
//! |---|---|
//! | `connection` | the connection and its steps |
//! | `settings` | what it is made with |
//! | `callbacks` | what the library asks: keys, trust, randomness |
//! | `failure` | its error codes as an enum |
//! | `pipe` | the bytes between the library and us |
//! | `tables` | what it has in common for all connections |
//! | `timer` | its timer on our clock |
//!
//! ```
//! use lwm2m_mbedtls::{Connection, OwnCertificate, Owner, Role, Settings, Transport};
//! use lwm2m_time::Instant;
//! use std::sync::Arc;
//! use std::time::Duration;
//! use zeroize::Zeroizing;
//!
//! struct OneDevice;
//! impl Owner for OneDevice {
//!     fn random(&self, bytes: &mut [u8]) {
//!         bytes.fill(4); // for an example only
//!     }
//!     fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
//!         (identity == b"device").then(|| Zeroizing::new(b"a shared secret.".to_vec()))
//!     }
//!     fn certificate(&self, _: &str) -> Option<Arc<OwnCertificate>> {
//!         None
//!     }
//!     fn verify(&self, _: Vec<Vec<u8>>) -> Result<(), u8> {
//!         Err(48) // unknown_ca
//!     }
//! }
//!
//! let settings = |role| Settings {
//!     role,
//!     transport: Transport::Stream,
//!     suites: vec![0xc0a8], // TLS_PSK_WITH_AES_128_CCM_8
//!     mtu: 1232,
//!     retransmit_after: Duration::from_secs(1),
//!     retransmit_limit: Duration::from_secs(60),
//!     application_protocol: None,
//!     max_fragment_length: None,
//!     server_name: None,
//! };
//! let (now, key) = (Instant::ZERO, b"a shared secret.");
//! let (ours, theirs) = (settings(Role::Client), settings(Role::Server));
//! let mut client = Connection::with_psk(now, &ours, b"device", key, Arc::new(OneDevice))?;
//! let mut server = Connection::accept(now, &theirs, None, &[], true, Arc::new(OneDevice))?;
//! let mut connected = None;
//! for _ in 0..2 {
//!     while let Some(bytes) = client.poll() {
//!         server.step(now, &bytes);
//!     }
//!     while let Some(bytes) = server.poll() {
//!         connected = connected.or(client.step(now, &bytes).connected);
//!     }
//! }
//! assert_eq!(connected, Some(0xc0a8));
//! client.send(b"hello").expect("connected");
//! let bytes = client.poll().expect("a record");
//! assert_eq!(server.step(now, &bytes).data, [b"hello"]);
//! # Ok::<(), lwm2m_mbedtls::Unusable>(())
//! ```
#![cfg(feature = "mbedtls")]
#![warn(clippy::indexing_slicing)]

mod callbacks;
mod connection;
mod failure;
mod pipe;
mod settings;
mod tables;
mod timer;

pub use callbacks::{MAX_PSK, OwnCertificate, Owner};
pub use connection::{Connection, Step, Verdict, has_suite};
pub use failure::{Failure, Unusable};
pub use settings::{Role, Settings, Transport};
