//! The handshake of version 1.2: messages and two state machines. They see whole messages, in order.

pub(crate) mod agreed;
pub(crate) mod client;
mod client_flight;
pub(crate) mod context;
pub(crate) mod extension;
pub(crate) mod fragment;
pub(crate) mod framing;
pub(crate) mod keys;
pub(crate) mod machine;
pub(crate) mod message;
pub(crate) mod output;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod server_flight;
pub(crate) mod server_peer;
pub(crate) mod transcript;
