//! Real peers: our daemons and other implementations as child processes on loopback.
//!
//! Subject and peer are chosen at run time by [`Kind`], so that one test body drives either
//! direction. `peers/install.sh` installs the other implementations below `target/peers`; a test
//! whose peer is not there says so and passes, unless the environment has `LWM2M_PEERS=require`.

mod aiocoap;
mod bootstrap;
mod browser;
mod coaps;
mod codec;
mod dtls;
mod endpoint;
mod fixtures;
mod http;
mod installed;
mod libcoap;
mod link_local;
mod lossy;
mod nat;
mod noise;
mod process;
mod roles;
mod schemathesis;
mod secured;
mod tools;
mod tshark;
mod wire;

pub use aiocoap::{AiocoapDevice, AiocoapServer};
pub use bootstrap::LeshanBootstrap;
pub use browser::{Outcome, Scenarios};
pub use coaps::{SecureMode, SecureSite, SecureTool};
pub use codec::{Payloads, PeerCodec};
pub use dtls::DtlsEndpoint;
pub use endpoint::UdpEndpoint;
pub use fixtures::Material;
pub use http::{Answer, Events, Http};
pub use installed::available;
pub use libcoap::{CoapClient, LibcoapServer, Reply};
pub use link_local::Namespaces;
pub use lossy::LossyProxy;
pub use nat::Nat;
pub use noise::{Noise, barrier};
pub use process::Process;
pub use roles::{Device, Kind, Server, leshan_demo_server};
pub use schemathesis::schemathesis;
pub use secured::{SecuredPeer, Stack};
pub use tools::{Site, Tool};
pub use tshark::{Dissected, dissect};
pub use wire::{HandDevice, HandServer};

use std::time::Duration;

/// The longest time that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A peer could not be started or did not do what the test waits for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a process, a socket or a file.
    #[error("{what}: {source}")]
    Io {
        /// The operation.
        what: &'static str,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A process ended, or did not print the line that the test waits for.
    #[error("{name} did not say {wanted} in time; it said:\n{said}")]
    Silent {
        /// The process.
        name: &'static str,
        /// The line or event that the test waited for.
        wanted: &'static str,
        /// Its output so far.
        said: String,
    },
    /// An event did not come.
    #[error("no {0} event in time")]
    NoEvent(&'static str),
    /// A peer's answer cannot be parsed.
    #[error("cannot understand {what}: {text}")]
    Garbled {
        /// What was parsed.
        what: &'static str,
        /// The received text.
        text: String,
    },
    /// Cargo could not build one of our programs.
    #[error("cargo build -p {0} failed")]
    Build(&'static str),
}

impl Error {
    /// For `map_err`: adds the operation to an error of the operating system.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
