//! Credentials, the store of them, and the rules by which an endpoint name is believed.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod change;
mod credential;
mod handshake;
mod harness;
mod refused;
mod rules;
mod store;
