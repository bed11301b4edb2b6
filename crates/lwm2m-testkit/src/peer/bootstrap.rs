//! Leshan's bootstrap server, of an old milestone.

use super::installed::{available, peer_folder};
use super::{Error, Process};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

/// Leshan's bootstrap server, which tells one device one server.
#[derive(Debug)]
pub struct LeshanBootstrap {
    /// The process, which prints `end` or `failed WHY` for each bootstrap.
    pub process: Process,
    /// Where a device comes without security.
    pub coap: SocketAddr,
    /// Where it comes by DTLS.
    pub coaps: SocketAddr,
}

impl LeshanBootstrap {
    /// Starts it; `None` if it is not installed (see [`available`]). `factory` is the identity and key that the
    /// device comes with, `-` for none, `account` the URI, mode and keys that it is told; keys are in hex. See
    /// `peers/leshan-demo/src/PeerBootstrap.java`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        endpoint: &str,
        factory: [&str; 2],
        account: [&str; 5],
    ) -> Result<Option<Self>, Error> {
        let folder = peer_folder("leshan-demo");
        if !available("Leshan's bootstrap server", folder.join("stamp").exists()) {
            return Ok(None);
        }
        let path = format!("{0}/classes:{0}/lib/*", folder.display());
        let mut command = Command::new("java");
        command.args(["-cp", &path, "PeerBootstrap", endpoint]).args(factory).args(account);
        let mut process = Process::start("Leshan's bootstrap server", &mut command)?;
        let ports = |line: &str| {
            let (coap, coaps) = line.strip_prefix("bootstrapping ")?.split_once(' ')?;
            let at = |port: &str| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?)));
            Some((at(coap)?, at(coaps)?))
        };
        let (coap, coaps) = process.wait_for("its ports", ports)?;
        Ok(Some(Self { process, coap, coaps }))
    }
}
