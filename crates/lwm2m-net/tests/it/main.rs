//! Sockets as their peers see them, on loopback.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod harness;
#[cfg(feature = "server")]
mod lwm2m;
mod secured;
mod tcp;
