//! Finds programs: our binaries in Cargo's target directory, the peers in `target/peers`.

use super::Error;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether a peer is installed. If not, prints what is skipped; with `LWM2M_PEERS=require` in the
/// environment it panics instead.
///
/// # Panics
/// The peer is required and not installed.
#[must_use]
pub fn available(peer: &str, there: bool) -> bool {
    if !there {
        let required = std::env::var("LWM2M_PEERS").is_ok_and(|value| value == "require");
        assert!(!required, "no {peer}: run crates/lwm2m-testkit/peers/install.sh");
        println!("skipped: no {peer}; crates/lwm2m-testkit/peers/install.sh installs it");
    }
    there
}

/// A program on the path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

pub(crate) fn workspace() -> PathBuf {
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

/// One of our daemons, built once per test run.
pub(crate) fn daemon(name: &'static str) -> Result<PathBuf, Error> {
    program(name, name)
}

/// The program `name` of one of our packages, built once per test run.
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

/// An address on loopback whose port was free a moment ago, by UDP and by TCP; the next port is
/// given to nobody, for servers that take it for their secured endpoint.
///
/// The ports lie below those that systems give to outgoing connections: else somebody's
/// connection may take the port before the program does, or a connection to it find itself.
pub(crate) fn free_address() -> Result<SocketAddr, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Tests of other processes begin elsewhere.
        let offset = (std::process::id().wrapping_mul(67))
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + 2 * (offset % 10_000) as u16;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match UdpSocket::bind(address).and_then(|_| TcpListener::bind(address)) {
            Ok(_) => return Ok(address),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(Error::io("a free port")(error)),
        }
    }
}
