//! CoAP programs over DTLS and TLS: ours, and libcoap's with either of its libraries.

use super::installed::{available, free_address, program};
use super::tools::run;
use super::{Error, Material, Process};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// The identity of the pre-shared key.
const IDENTITY: &str = "urn:dev:1";
/// The key in libcoap's notation and in ours.
const KEY: &str = "0123456789abcdef";
const KEY_HEX: &str = "30313233343536373839616263646566";

/// The implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureTool {
    /// `lwm2m coap` and `lwm2m coap serve`.
    Ours,
    /// `coap-client-openssl` and `coap-server-openssl`.
    LibcoapOpenssl,
    /// `coap-client-gnutls` and `coap-server-gnutls`.
    LibcoapGnutls,
}

/// The credentials of client and server. The files are those of [`Material`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureMode {
    /// A pre-shared key.
    Psk,
    /// Raw public keys; not with OpenSSL.
    RawPublicKey,
    /// Certificates on both sides.
    Certificate,
}

/// A running server. UDP and TCP use the same port.
#[derive(Debug)]
pub struct SecureSite {
    /// The process.
    pub process: Process,
    tool: SecureTool,
    coaps: SocketAddr,
    tls: SocketAddr,
}

impl SecureSite {
    /// The URI of a resource whose representation has the word `test` in it. The host is the name
    /// in the server's certificate.
    #[must_use]
    pub fn uri(&self, scheme: &str) -> String {
        let path = if self.tool == SecureTool::Ours { "test" } else { "" };
        format!("{scheme}://localhost:{}/{path}", self.address(scheme).port())
    }

    /// Its address for a scheme.
    #[must_use]
    pub fn address(&self, scheme: &str) -> SocketAddr {
        if scheme == "coaps" { self.coaps } else { self.tls }
    }
}

impl SecureTool {
    /// Whether it is installed; if not, prints what is skipped (see [`available`]).
    #[must_use]
    pub fn is_available(self) -> bool {
        let Some(library) = self.library() else { return true };
        let mut probe = Command::new(format!("coap-client-{library}"));
        let probe = probe.arg("-?").stdout(Stdio::null()).stderr(Stdio::null());
        available(&format!("libcoap with {library}"), probe.status().is_ok())
    }

    /// Whether it supports a mode.
    #[must_use]
    pub fn knows(self, mode: SecureMode) -> bool {
        self != Self::LibcoapOpenssl || mode != SecureMode::RawPublicKey
    }

    const fn library(self) -> Option<&'static str> {
        match self {
            Self::Ours => None,
            Self::LibcoapOpenssl => Some("openssl"),
            Self::LibcoapGnutls => Some("gnutls"),
        }
    }

    /// Starts its server on loopback with the additional options `more`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn serve(
        self,
        mode: SecureMode,
        keys: &Material,
        more: &[&str],
    ) -> Result<SecureSite, Error> {
        let flags = self.flags(mode, keys, ("server", "device"))?;
        let Some(library) = self.library() else { return Self::serve_ours(keys, &flags, more) };
        let address = free_address()?;
        let plain = (address.port() - 1).to_string();
        let mut command = Command::new(format!("coap-server-{library}"));
        command.current_dir(keys.file("")).args(["-v", "7", "-A", "127.0.0.1", "-p", &plain]);
        let mut process = Process::start("a CoAP server", command.args(flags).args(more))?;
        process.wait_for("its endpoints", |line| line.contains("created TLS").then_some(()))?;
        Ok(SecureSite { process, tool: self, coaps: address, tls: address })
    }

    fn serve_ours(keys: &Material, flags: &[String], more: &[&str]) -> Result<SecureSite, Error> {
        let mut command = Command::new(program("lwm2m-cli", "lwm2m")?);
        command.current_dir(keys.file("")).args(["coap", "serve", "--coap", "127.0.0.1:0"]);
        command.args(["--coaps", "127.0.0.1:0", "--coaps-tcp", "127.0.0.1:0"]);
        let mut process = Process::start("lwm2m coap serve", command.args(flags).args(more))?;
        let address = |after| move |line: &str| line.strip_prefix(after)?.parse().ok();
        let coaps = process.wait_for("its address", address("coaps on "))?;
        let tls = process.wait_for("its TLS address", address("coaps+tcp on "))?;
        Ok(SecureSite { process, tool: Self::Ours, coaps, tls })
    }

    /// Reads a resource with the additional options `more`.
    ///
    /// # Errors
    /// The client cannot be started or gets no answer.
    pub fn get(
        self,
        mode: SecureMode,
        keys: &Material,
        uri: &str,
        more: &[&str],
    ) -> Result<String, Error> {
        let flags = self.flags(mode, keys, ("device", "server"))?;
        let mut command = match self.library() {
            None => {
                let mut command = Command::new(program("lwm2m-cli", "lwm2m")?);
                command.args(["coap", "get", uri, "--timeout", "10"]).args(flags);
                command
            }
            Some(library) => {
                let mut command = Command::new(format!("coap-client-{library}"));
                command.args(["-B", "10", "-m", "get"]).args(flags).arg(uri);
                command
            }
        };
        command.args(more).current_dir(keys.file(""));
        run(command, b"").map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    /// The options for a mode of a side; the files of the sides begin with their names.
    fn flags(
        self,
        mode: SecureMode,
        keys: &Material,
        (own, peer): (&str, &str),
    ) -> Result<Vec<String>, Error> {
        let (certificate, key) = (format!("{own}.crt"), format!("{own}.key"));
        let flags = match (self, mode) {
            (Self::Ours, SecureMode::Psk) => {
                ["--psk-identity", IDENTITY, "--psk-key", KEY_HEX].map(str::to_owned).into()
            }
            (Self::Ours, SecureMode::RawPublicKey) => vec![
                "--rpk".to_owned(),
                format!("{own}-rpk.key"),
                "--peer-rpk".to_owned(),
                format!("{peer}-rpk.pub"),
            ],
            (Self::Ours, SecureMode::Certificate) => {
                ["--cert", &certificate, "--key", &key, "--trust", "ca.crt"]
                    .map(str::to_owned)
                    .into()
            }
            (_, SecureMode::Psk) if own == "server" => ["-k", KEY].map(str::to_owned).into(),
            (_, SecureMode::Psk) => ["-u", IDENTITY, "-k", KEY].map(str::to_owned).into(),
            (_, SecureMode::RawPublicKey) => vec!["-M".to_owned(), both_halves(keys, own)?],
            (_, SecureMode::Certificate) => {
                ["-c", &certificate, "-j", &key, "-C", "ca.crt"].map(str::to_owned).into()
            }
        };
        Ok(flags)
    }
}

/// A file with the public and the private half of a key, as libcoap wants them.
fn both_halves(keys: &Material, own: &str) -> Result<String, Error> {
    let name = format!("{own}-rpk.both");
    let read = |half: &str| std::fs::read(keys.file(&format!("{own}-rpk.{half}")));
    let both = read("pub").and_then(|public| Ok([public, read("key")?].concat()));
    let path = keys.file(&name);
    both.and_then(|both| std::fs::write(Path::new(&path), both)).map_err(Error::io("a key"))?;
    Ok(name)
}
