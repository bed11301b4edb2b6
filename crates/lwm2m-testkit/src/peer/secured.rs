//! Other DTLS stacks, by programs with the same command line: a role, a port, keys and options.

use super::installed::{available, free_address, peer_folder, peer_source};
use super::roles::leshan;
use super::{Error, Process};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// The implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// Californium's Scandium: `PeerDtls`.
    Scandium,
    /// tinydtls, by its Python module: `tinydtls.py`. Its one suite is `TLS_PSK_WITH_AES_128_CCM_8`.
    Tinydtls,
}

impl Stack {
    /// Whether it is installed; if not, prints what is skipped (see [`available`]).
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scandium => {
                available("Scandium", peer_folder("leshan/classes/PeerDtls.class").exists())
            }
            Self::Tinydtls => {
                let module = peer_folder("venv/lib").read_dir().is_ok_and(|mut versions| {
                    let is_in = |python: std::fs::DirEntry| {
                        python.path().join("site-packages/DTLSSocket").exists()
                    };
                    versions.any(|python| python.is_ok_and(is_in))
                });
                available("tinydtls", module)
            }
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Scandium => leshan("PeerDtls"),
            Self::Tinydtls => {
                let mut python = Command::new(peer_folder("venv/bin/python"));
                python.arg(peer_source("tinydtls.py"));
                python
            }
        }
    }
}

/// A DTLS endpoint of another stack. A server echoes its input; a client sends the lines
/// that the test gives it.
#[derive(Debug)]
pub struct SecuredPeer {
    /// The process.
    pub process: Process,
    /// A server's address.
    pub address: SocketAddr,
}

impl SecuredPeer {
    /// Starts a server on a free port of loopback. `keys` is the folder that options name files of.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn server(stack: Stack, keys: &Path, options: &[&str]) -> Result<Self, Error> {
        Self::server_at(stack, keys, free_address()?, options)
    }

    /// Starts a server at an address, for example that of one that was killed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn server_at(
        stack: Stack,
        keys: &Path,
        address: SocketAddr,
        options: &[&str],
    ) -> Result<Self, Error> {
        let mut peer = Self::start(stack, keys, "server", address, options)?;
        let listening = |line: &str| line.starts_with("listening").then_some(());
        peer.process.wait_for("listening", listening)?;
        Ok(peer)
    }

    /// Starts a client of the server at `to`; it connects with the first line to send.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn client(
        stack: Stack,
        keys: &Path,
        to: SocketAddr,
        options: &[&str],
    ) -> Result<Self, Error> {
        Self::start(stack, keys, "client", to, options)
    }

    fn start(
        stack: Stack,
        keys: &Path,
        role: &str,
        address: SocketAddr,
        options: &[&str],
    ) -> Result<Self, Error> {
        let mut command = stack.command();
        command.current_dir(keys).args([role, &address.port().to_string()]).args(options);
        Ok(Self { process: Process::start("a DTLS peer", &mut command)?, address })
    }

    /// Starts a program of OpenSSL, GnuTLS or Mbed TLS. In its arguments `PORT` stands for the port of `to`,
    /// or for a free one if it is a server; `PEERS` for the folder of the sources of peers. `None`
    /// if it is not there.
    ///
    /// # Errors
    /// No port is free.
    pub fn program(
        name: &'static str,
        arguments: &str,
        keys: &Path,
        to: Option<SocketAddr>,
    ) -> Result<Option<Self>, Error> {
        let address = to.map_or_else(free_address, Ok)?;
        let arguments = arguments
            .replace("PORT", &address.port().to_string())
            .replace("PEERS", &peer_source("").to_string_lossy());
        let installed = peer_folder("mbedtls").join(name);
        let mut command = match installed.exists() {
            true => Command::new(installed),
            false => Command::new(name),
        };
        let process =
            Process::start(name, command.current_dir(keys).args(arguments.split_whitespace()));
        let there = available(name, process.is_ok());
        there.then_some(process).transpose().map(|it| it.map(|process| Self { process, address }))
    }

    /// Waits for the rest of the next line that begins with `word`.
    ///
    /// # Errors
    /// No such line comes.
    pub fn wait_for(&mut self, word: &'static str) -> Result<String, Error> {
        self.process.wait_for(word, |line| Some(line.strip_prefix(word)?.trim().to_owned()))
    }
}
