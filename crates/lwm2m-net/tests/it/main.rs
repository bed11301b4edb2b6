//! Sockets as their peers see them, on loopback.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod load;
mod tcp;
mod world;
