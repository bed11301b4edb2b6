//! CoAP programs for resources of any kind: ours, libcoap's and aiocoap's, each as client and as
//! server, over UDP and TCP.

use super::installed::{available, free_address, peer_folder, peer_source, program};
use super::{Error, Process};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `lwm2m coap` and `lwm2m coap serve`.
    Ours,
    /// `coap-client-notls` and `coap-server-notls`.
    Libcoap,
    /// `aiocoap-client` and `peers/aiocoap_site.py`.
    Aiocoap,
}

/// A running server with a resource that can be read, written and observed.
#[derive(Debug)]
pub struct Site {
    tool: Tool,
    udp: SocketAddr,
    tcp: SocketAddr,
    _process: Process,
}

impl Site {
    /// The address for datagrams.
    #[must_use]
    pub const fn udp(&self) -> SocketAddr {
        self.udp
    }

    /// The URI of the resource over UDP; behind a proxy or translator, at its address.
    #[must_use]
    pub fn udp_uri(&self, at: Option<SocketAddr>) -> String {
        format!("coap://{}{}", at.unwrap_or(self.udp), self.path())
    }

    /// The URI of the resource over TCP.
    #[must_use]
    pub fn tcp_uri(&self) -> String {
        format!("coap+tcp://{}{}", self.tcp, self.path())
    }

    const fn path(&self) -> &'static str {
        match self.tool {
            Tool::Ours => "/obs-large",
            Tool::Libcoap => "/example_data",
            Tool::Aiocoap => "/value",
        }
    }
}

impl Tool {
    /// Whether it is installed; if not, prints what is skipped (see [`available`]).
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Ours => true,
            Self::Libcoap => {
                let mut probe = Command::new("coap-server-notls");
                let probe = probe.arg("-?").stdout(Stdio::null()).stderr(Stdio::null());
                available("libcoap", probe.status().is_ok())
            }
            Self::Aiocoap => available("aiocoap", peer_folder("venv/bin/aiocoap-client").exists()),
        }
    }

    /// Starts its server on loopback.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn serve(self) -> Result<Site, Error> {
        if self == Self::Ours {
            return Self::serve_ours();
        }
        let address = free_address()?;
        let port = address.port().to_string();
        let (command, ready) = if self == Self::Libcoap {
            let mut command = Command::new("coap-server-notls");
            command.args(["-v", "7", "-A", "127.0.0.1", "-p", &port]);
            (command, "created TCP")
        } else {
            let mut command = Command::new(peer_folder("venv/bin/python"));
            command.arg(peer_source("aiocoap_site.py")).arg(&port);
            (command, "listening")
        };
        let mut command = command;
        let mut process = Process::start("a CoAP server", &mut command)?;
        process.wait_for("its endpoints", |line| line.contains(ready).then_some(()))?;
        Ok(Site { tool: self, udp: address, tcp: address, _process: process })
    }

    fn serve_ours() -> Result<Site, Error> {
        let mut command = Command::new(program("lwm2m-cli", "lwm2m")?);
        command.args(["coap", "serve", "--coap", "127.0.0.1:0", "--coap-tcp", "127.0.0.1:0"]);
        let mut process = Process::start("lwm2m coap serve", &mut command)?;
        let address = |after| move |line: &str| line.strip_prefix(after)?.parse().ok();
        let udp = process.wait_for("its address", address("coap on "))?;
        let tcp = process.wait_for("its TCP address", address("coap+tcp on "))?;
        Ok(Site { tool: Self::Ours, udp, tcp, _process: process })
    }

    /// The client with what it takes to `get`, `put` or observe; a body comes from standard input,
    /// but libcoap's from a file.
    fn client(self, verb: &str, uri: &str) -> Result<Command, Error> {
        let command = match (self, verb) {
            (Self::Ours, _) => {
                let mut command = Command::new(program("lwm2m-cli", "lwm2m")?);
                command.args(["coap", verb, uri]).args((verb == "put").then_some("-"));
                command
            }
            (Self::Libcoap, _) => {
                // Otherwise Python buffers the output until it ends.
                let mut command = Command::new("stdbuf");
                command.args(["-o0", "coap-client-notls"]).args(match verb {
                    "get" => ["-m", "get"],
                    "put" => ["-m", "put"],
                    _ => ["-s", "60"],
                });
                command
                    .args((verb == "put").then_some(["-m", "put"]).into_iter().flatten())
                    .arg(uri);
                command
            }
            (Self::Aiocoap, "observe") => {
                // aiocoap-client would end the observation at once.
                let mut command = Command::new(peer_folder("venv/bin/python"));
                command.arg(peer_source("aiocoap_observe.py")).arg(uri);
                command
            }
            (Self::Aiocoap, _) => {
                let mut command = Command::new(peer_folder("venv/bin/aiocoap-client"));
                let put = ["-m", "PUT", "--payload", "@-"];
                command.arg("-q").args((verb == "put").then_some(put).into_iter().flatten());
                command.arg(uri);
                command
            }
        };
        Ok(command)
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// The client cannot be started or fails.
    pub fn get(self, uri: &str) -> Result<Vec<u8>, Error> {
        run(self.client("get", uri)?, b"")
    }

    /// Writes a resource.
    ///
    /// # Errors
    /// The client cannot be started or fails.
    pub fn put(self, uri: &str, body: &[u8]) -> Result<(), Error> {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let mut client = self.client("put", uri)?;
        if self != Self::Libcoap {
            return run(client, body).map(|_| ());
        }
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("body-{}-{number}", std::process::id()));
        std::fs::write(&file, body).map_err(Error::io("a file for a body"))?;
        client.arg("-f").arg(&file);
        let outcome = run(client, b"");
        std::fs::remove_file(&file).map_err(Error::io("a file for a body"))?;
        outcome.map(|_| ())
    }

    /// Begins to observe a resource; what it is becomes lines of the process's output.
    ///
    /// # Errors
    /// The client cannot be started.
    pub fn observe(self, uri: &str) -> Result<Process, Error> {
        Process::start("an observing client", &mut self.client("observe", uri)?)
    }
}

/// The standard output of a program.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = Error::io("a CoAP client");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let outcome = command.spawn().and_then(|mut child| {
        child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input))?;
        child.wait_with_output()
    });
    let output = outcome.map_err(failed)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Garbled { what: "a CoAP client that failed", text })
}
