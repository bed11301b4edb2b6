//! One connection of DTLS 1.2 or TLS 1.2 by Mbed TLS 2.28, without sockets and clocks.
//!
//! `Connection` is driven like everything below `lwm2m-net`: input and the time go in, bytes to
//! be sent and data come out. During a handshake it asks its `Owner` for keys, trust and
//! randomness.
//!
//! The crate `mbedtls` wraps most of the library. This crate calls the raw layer for the rest:
//! pre-shared keys by identity, a timer on a passed clock, the peer's chain, and received alerts.
//! It holds all `unsafe` of the workspace.
//!
//! | module | what |
//! |---|---|
//! | `connection` | a connection and its steps |
//! | `settings`, `configure` | its settings, here and in the library |
//! | `callbacks` | the library's callbacks: keys, trust, randomness |
//! | `failure` | the library's error codes as enums |
//! | `pipe` | the bytes between the library and its caller |
//! | `tables` | the library's global tables |
//! | `timer` | the library's timer on a passed clock |
#![cfg(feature = "mbedtls")]
#![warn(clippy::indexing_slicing)]

mod callbacks;
mod configure;
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
