//! Sockets, clocks and the async runtime: the one crate that has them.
//!
//! The engines of `lwm2m-server` and `lwm2m-client` are values without I/O. This crate binds
//! sockets, runs an engine on them in a tokio task, and hands out a handle: [`ServerHandle`] or
//! [`ClientHandle`]. A handle is cheap to clone; the task ends when the last one is
//! dropped.
//!
//! | module | what |
//! |---|---|
//! | [`clock`] | the monotonic and the wall clock, side by side |
//! | [`driver`] | the one loop that drives any [`lwm2m_link::Engine`] on a UDP socket and TCP connections |
//! | [`server`] | a server: operations as futures, events as a stream |
//! | [`Events`] | the events of a server for any number of subscribers |
//! | [`Counters`] | what has happened, in numbers |
//! | [`Rejected`] | clients that did not get in |
//! | [`directory`] | the registered devices, read beside the engine |
//! | [`client`] | a client: changes of values in, events out |
//! | [`coap`] | a CoAP client without LwM2M, for tools |
//! | `tcp` | connections: a task for each, bounded in what waits |
//! | [`service`] | a CoAP server without LwM2M |
//! | [`uri`] | server URIs to socket addresses |

#[cfg(feature = "server")]
mod cancellation;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
pub mod coap;
#[cfg(feature = "server")]
mod counters;
#[cfg(feature = "server")]
pub mod directory;
pub mod driver;
#[cfg(feature = "server")]
mod events;
#[cfg(feature = "server")]
mod rejected;
#[cfg(feature = "server")]
pub mod server;
pub mod service;
mod tcp;
pub mod uri;
mod with_sink;

#[cfg(feature = "client")]
pub use client::{ClientHandle, bind_client};
pub use clock::Clock;
#[cfg(feature = "server")]
pub use counters::{Counted, Counters};
#[cfg(feature = "server")]
pub use directory::Directory;
pub use driver::{Addresses, Closed, Commands, Driver, FullPorts, Handle, Io, Sockets, Wake};
#[cfg(feature = "server")]
pub use events::Events;
pub use lwm2m_link::ConnectionConfig;
#[cfg(feature = "server")]
pub use rejected::{Rejected, Rejection};
#[cfg(feature = "server")]
pub use server::{Answer, RequestError, ServerHandle, bind_server};
pub use with_sink::{Sink, WithSink};

/// What the model checker replaces.
#[cfg(feature = "server")]
mod sync {
    pub(crate) use std::sync::{Arc, Mutex};
}

/// An unpredictable seed for an engine, from the operating system.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    Ok(seed)
}
