//! LwM2M for applications: client, server and bootstrap server, each behind a feature.
//!
//! | feature | adds |
//! |---|---|
//! | `client` (default) | [`client`], the engine of a device, and its driver in [`net`] |
//! | `server` (default) | [`server`], the engine of a server, its driver in [`net`], and [`http`] |
//! | `bootstrap` | `bootstrap`, the engine of a bootstrap server |
//!
//! Each module is a crate of its own, which can be used alone; this crate only re-exports them.

#[cfg(feature = "bootstrap")]
pub use lwm2m_bootstrap as bootstrap;
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

/// The examples of the README and of the guides are tests of this crate.
#[cfg(all(doctest, feature = "client", feature = "server"))]
mod guides {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/devices.md")]
    struct Devices;
    #[doc = include_str!("../../../docs/servers.md")]
    struct Servers;
}
