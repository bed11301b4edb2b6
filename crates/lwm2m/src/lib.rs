//! LwM2M for applications: client and server under one roof.
//!
//! | feature | what it brings |
//! |---|---|
//! | `client` (default) | [`client`], the engine of a device, and its driver in [`net`] |
//! | `server` (default) | [`server`], the engine of a server, its driver in [`net`], and [`http`] |
//!
//! The crates behind the modules can also be used one by one; this one only gathers them.

#[cfg(feature = "client")]
pub use lwm2m_client as client;
pub use lwm2m_codec as codec;
pub use lwm2m_core as core;
pub use lwm2m_dtls as dtls;
#[cfg(feature = "server")]
pub use lwm2m_http as http;
pub use lwm2m_net as net;
pub use lwm2m_objects as objects;
#[cfg(feature = "server")]
pub use lwm2m_server as server;

pub use lwm2m_core::{ContentFormat, Path, Value};

/// The examples of the README are tests of this crate.
#[cfg(all(doctest, feature = "client", feature = "server"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
