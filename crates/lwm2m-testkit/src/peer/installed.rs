//! Where programs are: our binaries below Cargo's target directory, the peers below `target/peers`.

use super::Error;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Whether a peer is there. If not, this says what is skipped; with `LWM2M_PEERS=require` in the
/// environment it panics instead.
///
/// # Panics
/// The peer is required and not there.
#[must_use]
pub fn available(peer: &str, there: bool) -> bool {
    if !there {
        let required = std::env::var("LWM2M_PEERS").is_ok_and(|value| value == "require");
        assert!(!required, "no {peer}: run crates/lwm2m-testkit/peers/install.sh");
        println!("skipped: no {peer}; crates/lwm2m-testkit/peers/install.sh installs it");
    }
    there
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder below `target/peers`.
pub(crate) fn peer_folder(name: &str) -> PathBuf {
    workspace().join("target/peers").join(name)
}

/// A file of the folder `peers` of this crate.
pub(crate) fn peer_source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// One of our daemons, brought up to date once for each test run.
pub(crate) fn daemon(name: &'static str) -> Result<PathBuf, Error> {
    program(name, name)
}

/// The program `name` of one of our packages, brought up to date once for each test run.
pub(crate) fn program(package: &'static str, name: &'static str) -> Result<PathBuf, Error> {
    static BUILT: Mutex<BTreeMap<&str, bool>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !*built.entry(package).or_insert_with(|| build(package)) {
        return Err(Error::Build(package));
    }
    let test = std::env::current_exe().map_err(Error::io("the path of the test"))?;
    // <target>/debug/deps/it-0123: the programs are two levels up.
    Ok(test.ancestors().nth(2).unwrap_or(&test).join(name))
}

fn build(package: &str) -> bool {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--quiet", "-p", package]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    cargo.status().is_ok_and(|status| status.success())
}

/// An address on loopback that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr, Error> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("a free port"))?;
    socket.local_addr().map_err(Error::io("a free port"))
}
