//! One connection of DTLS 1.2 or TLS 1.2 by Mbed TLS 2.28, without sockets and clocks.
//!
//! `Connection` is driven like everything below `lwm2m-net`: bytes and the time go in, bytes and
//! data come out. What it needs to know during a handshake it asks its `Owner`: keys, whether a
//! chain of certificates is trusted, randomness.
//!
//! The crate `mbedtls` wraps most of the library; what it lacks is called here by its raw layer:
//! pre-shared keys by identity, a timer on a clock of ours, the peer's chain, the alert that came.
//! That is all the `unsafe` there is in this workspace.
//!
//! | module | what |
//! |---|---|
//! | `connection` | the connection and its steps |
//! | `settings`, `configure` | what it is made with, here and in the library |
//! | `callbacks` | what the library asks: keys, trust, randomness |
//! | `failure` | its error codes as an enum |
//! | `pipe` | the bytes between the library and us |
//! | `tables` | what it has in common for all connections |
//! | `timer` | its timer on our clock |
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
