//! Real peers: our daemons and other implementations as child processes on loopback.
//!
//! Subject and peer are chosen at run time by [`Kind`], so that one test body drives either
//! direction. `peers/install.sh` installs the other implementations below `target/peers`; a test
//! whose peer is not there says so and passes, unless the environment has `LWM2M_PEERS=require`.

mod aiocoap;
mod coaps;
mod codec;
mod dtls;
mod endpoint;
mod fixtures;
mod http;
mod installed;
mod libcoap;
mod lossy;
mod nat;
mod noise;
mod process;
mod roles;
mod secured;
mod tools;
mod wire;

pub use aiocoap::AiocoapServer;
pub use coaps::{SecureMode, SecureSite, SecureTool};
pub use codec::{Payloads, PeerCodec};
pub use dtls::DtlsEndpoint;
pub use endpoint::UdpEndpoint;
pub use fixtures::Material;
pub use http::{Answer, Events, Http};
pub use installed::available;
pub use libcoap::{CoapClient, LibcoapServer, Reply};
pub use lossy::LossyProxy;
pub use nat::Nat;
pub use noise::{Noise, barrier};
pub use process::Process;
pub use roles::{Device, Kind, Server, leshan_demo_server};
pub use secured::{SecuredPeer, Stack};
pub use tools::{Site, Tool};
pub use wire::{HandDevice, HandServer};

use std::time::Duration;

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A peer could not be started or did not do what was waited for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a process, a socket or a file.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A process ended or kept silent while a line of its output was waited for.
    #[error("{name} did not say {wanted} in time; it said:\n{said}")]
    Silent {
        /// The process.
        name: &'static str,
        /// What was waited for.
        wanted: &'static str,
        /// All that it said so far.
        said: String,
    },
    /// An event did not come.
    #[error("no {0} event in time")]
    NoEvent(&'static str),
    /// A peer's answer cannot be understood.
    #[error("cannot understand {what}: {text}")]
    Garbled {
        /// What was read.
        what: &'static str,
        /// As it came.
        text: String,
    },
    /// Cargo could not build one of our programs.
    #[error("cargo build -p {0} failed")]
    Build(&'static str),
}

impl Error {
    /// For `map_err`: an operating system's error with what was tried.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}
